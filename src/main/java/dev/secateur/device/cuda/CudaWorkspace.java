package dev.secateur.device.cuda;

import dev.secateur.util.Cleanup;

/**
 * Scratch memory that all kernels of a device share, because they run one after the other. It grows
 * while kernels are compiled and is looked up when they are launched.
 */
final class CudaWorkspace {
  private static final long STEP = 1 << 20;
  private final CudaContext context;
  private DevicePointer pointer = new DevicePointer();
  private long bytes;
  private long mostNeeded;
  private int generation;

  CudaWorkspace(CudaContext context) {
    this.context = context;
  }

  /** Makes room; waits for the GPU where the memory must be replaced. */
  void reserve(long needed) {
    mostNeeded = Math.max(mostNeeded, needed);
    if (needed > bytes) {
      long before = bytes;
      close();
      try {
        allocate((needed + STEP - 1) / STEP * STEP);
      } catch (RuntimeException e) {
        throw before == 0 ? e : Cleanup.after(e, () -> allocate(before)); // for earlier kernels
      }
    }
  }

  private void allocate(long size) {
    pointer = context.allocateShared(size);
    bytes = size;
  }

  /** The most that was asked for since the last call. */
  long takeMostNeeded() {
    long most = mostNeeded;
    mostNeeded = 0;
    return most;
  }

  /** Changes whenever {@link #pointer} does. */
  int generation() {
    return generation;
  }

  /** Valid until the next {@link #reserve}. */
  DevicePointer pointer() {
    return pointer;
  }

  DevicePointer at(long offset) {
    return new DevicePointer(pointer, offset);
  }

  void close() {
    if (bytes > 0) {
      DevicePointer old = pointer;
      generation++;
      pointer = new DevicePointer();
      bytes = 0;
      context.freeShared(old);
    }
  }

  /** Rounded up so that what follows is aligned. */
  static long aligned(long size) {
    return (size + 255) / 256 * 256;
  }
}
