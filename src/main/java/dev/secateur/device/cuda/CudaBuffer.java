package dev.secateur.device.cuda;

import dev.secateur.tensor.Buffer;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;

/** Device memory of one allocation. */
final class CudaBuffer implements Buffer {
  private final DevicePointer pointer;
  private final long bytes;
  private final Cleanup followers = new Cleanup();
  private boolean open = true;

  CudaBuffer(DevicePointer pointer, long bytes) {
    this.pointer = pointer;
    this.bytes = bytes;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  /** The buffer of a tensor of this device. */
  static CudaBuffer of(Tensor t) {
    if (t.buffer() instanceof CudaBuffer b) {
      return b;
    }
    throw new IllegalArgumentException(t + " lies on another device");
  }

  /** Where a tensor begins; its arena must be open. */
  static DevicePointer pointer(Tensor t) {
    CudaBuffer b = of(t);
    b.requireOpen();
    return new DevicePointer(b.pointer, t.byteOffset());
  }

  void requireOpen() {
    if (!open) {
      throw new IllegalStateException("the arena of a tensor is closed");
    }
  }

  /** Runs before the memory is freed: what was made for it goes with it. */
  void onFree(Runnable step) {
    followers.add(step);
  }

  void free(CudaContext context) {
    open = false;
    try {
      followers.close();
    } finally {
      context.free(pointer);
    }
  }
}
