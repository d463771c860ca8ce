package dev.secateur.device.cpu;

import dev.secateur.device.Contract;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** java.nio windows onto tensors, in memory order, made once when a kernel is compiled. */
final class CpuViews {
  private CpuViews() {}

  /** H x W of an activation, 1 for (N, C). */
  static long pixels(Tensor t) {
    return t.elements() / t.shape().dim(0) / t.shape().dim(1);
  }

  static ByteBuffer bytes(Tensor t) {
    fits(t);
    return CpuBuffer.bytes(t).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  static FloatBuffer floats(Tensor t) {
    fits(t);
    return CpuBuffer.floats(t).asBuffer();
  }

  static DoubleBuffer doubles(Tensor t) {
    fits(t);
    return CpuBuffer.doubles(t).asBuffer();
  }

  static IntBuffer ints(Tensor t) {
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

  /** Pieces of so many floats each, the last one shorter. */
  static FloatBuffer[] floatPieces(Tensor t, int length) {
    long n = t.elements();
    FloatBuffer[] pieces = new FloatBuffer[Math.toIntExact((n + length - 1) / length)];
    for (int i = 0; i < pieces.length; i++) {
      long from = (long) i * length;
      pieces[i] = floats(t, from, (int) Math.min(length, n - from));
    }
    return pieces;
  }

  /** Pieces of so many doubles each, the last one shorter. */
  static DoubleBuffer[] doublePieces(Tensor t, int length) {
    long n = t.elements();
    DoubleBuffer[] pieces = new DoubleBuffer[Math.toIntExact((n + length - 1) / length)];
    for (int i = 0; i < pieces.length; i++) {
      long from = (long) i * length;
      pieces[i] = doubles(t, from, (int) Math.min(length, n - from));
    }
    return pieces;
  }

  private static void fits(Tensor t) {
    Contract.that(t.bytes() <= Integer.MAX_VALUE, "the tensor must be smaller than 2 GiB", t);
  }
}
