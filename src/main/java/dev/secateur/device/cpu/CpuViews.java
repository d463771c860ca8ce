package dev.secateur.device.cpu;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** java.nio windows onto tensors, made once when a kernel is compiled, and checks of arguments. */
final class CpuViews {
  private CpuViews() {}

  static void require(boolean holds, String expected, Object... found) {
    if (!holds) {
      StringBuilder s = new StringBuilder(expected);
      for (int i = 0; i < found.length; i++) {
        s.append(i == 0 ? ", got " : ", ").append(found[i]);
      }
      throw new IllegalArgumentException(s.toString());
    }
  }

  static void requireType(Tensor t, DType dtype, String name) {
    require(t.dtype() == dtype, name + " must be " + dtype, t);
  }

  static void requirePlain(Tensor t, DType dtype, int rank, String name) {
    requireType(t, dtype, name);
    require(t.layout() == Layout.PLAIN, name + " must be PLAIN", t);
    require(t.shape().rank() == rank, name + " must have rank " + rank, t);
  }

  /** True where position by position the elements lie one after the other, channels innermost. */
  static boolean channelsInnermost(Tensor t) {
    return t.layout() == Layout.CHANNELS_LAST || pixels(t) == 1;
  }

  /** H x W of an activation, 1 for (N, C). */
  static long pixels(Tensor t) {
    return t.elements() / t.shape().dim(0) / t.shape().dim(1);
  }

  static ByteBuffer bytes(Tensor t) {
    fits(t);
    return CpuBuffer.bytes(t).asByteBuffer();
  }

  static FloatBuffer floats(Tensor t) {
    requireType(t, DType.F32, "tensor");
    fits(t);
    return CpuBuffer.floats(t).asBuffer();
  }

  static DoubleBuffer doubles(Tensor t) {
    requireType(t, DType.F64, "tensor");
    fits(t);
    return CpuBuffer.doubles(t).asBuffer();
  }

  static IntBuffer ints(Tensor t) {
    requireType(t, DType.I32, "tensor");
    fits(t);
    return CpuBuffer.ints(t).asBuffer();
  }

  /** Floats {@code from} to {@code from + length} of a tensor of any size. */
  static FloatBuffer floats(Tensor t, long from, int length) {
    return CpuBuffer.floats(t).getPointer(from).capacity(length).asBuffer();
  }

  /** Doubles {@code from} to {@code from + length} of a tensor of any size. */
  static DoubleBuffer doubles(Tensor t, long from, int length) {
    return CpuBuffer.doubles(t).getPointer(from).capacity(length).asBuffer();
  }

  private static void fits(Tensor t) {
    require(t.bytes() <= Integer.MAX_VALUE, "the tensor must be smaller than 2 GiB", t);
  }
}
