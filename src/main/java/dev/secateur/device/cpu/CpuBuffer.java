package dev.secateur.device.cpu;

import dev.secateur.tensor.Buffer;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;

/** Zeroed native memory that begins at a 64-byte boundary; given back by its arena. */
final class CpuBuffer implements Buffer {
  private static final int ALIGNMENT = 64;
  private final long bytes;
  private final long base;
  private final CpuFreeMemory.Block block;
  private final BytePointer allocation;

  CpuBuffer(long bytes) {
    this.bytes = bytes;
    block = CpuFreeMemory.take(bytes + ALIGNMENT);
    Pointer.memset(block.address(), 0, bytes + ALIGNMENT);
    allocation = new BytePointer(block.address());
    base = (allocation.address() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  void free() {
    if (!allocation.isNull()) {
      CpuFreeMemory.giveBack(block);
      allocation.setNull();
    }
  }

  /**
   * Fails if the memory was given back.
   *
   * @throws IllegalStateException if so
   */
  void requireOpen() {
    if (allocation.isNull()) {
      throw new IllegalStateException("the arena of a tensor is closed");
    }
  }

  /** The buffers in which tensors lie. */
  static CpuBuffer[] distinct(Tensor... tensors) {
    return Arrays.stream(tensors)
        .map(t -> (CpuBuffer) t.buffer())
        .distinct()
        .toArray(CpuBuffer[]::new);
  }

  static void requireOpen(CpuBuffer[] buffers) {
    for (CpuBuffer b : buffers) {
      b.requireOpen();
    }
  }

  /** Address of a tensor's first element. */
  static long address(Tensor t) {
    CpuBuffer b = (CpuBuffer) t.buffer();
    if (b.allocation.isNull()) {
      throw new IllegalStateException("the arena of " + t + " is closed");
    }
    return b.base + t.byteOffset();
  }

  static BytePointer bytes(Tensor t) {
    return at(t);
  }

  static FloatPointer floats(Tensor t) {
    return new FloatPointer(at(t)).capacity(t.elements());
  }

  static DoublePointer doubles(Tensor t) {
    return new DoublePointer(at(t)).capacity(t.elements());
  }

  static IntPointer ints(Tensor t) {
    return new IntPointer(at(t)).capacity(t.elements());
  }

  private static BytePointer at(Tensor t) {
    CpuBuffer b = (CpuBuffer) t.buffer();
    return b.allocation.getPointer(address(t) - b.allocation.address()).capacity(t.bytes());
  }
}
