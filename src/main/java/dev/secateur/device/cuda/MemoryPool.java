package dev.secateur.device.cuda;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;

/**
 * The pool that {@code cuMemAllocAsync} takes memory of one GPU from. By default each
 * synchronisation gives what was freed back to the system, and the next allocation maps it again;
 * this one keeps it (CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) until {@link #trim}. JCuda binds no call of
 * it.
 */
final class MemoryPool {
  private static final String TRIM = "cuMemPoolTrimTo";
  private static final int RELEASE_THRESHOLD = 4;
  private static final long ALL = -1; // unsigned

  private final NativeLibrary driver = NativeLibrary.getInstance(CudaLibrary.DRIVER);
  private final Pointer pool;

  /**
   * The context's device must be open.
   *
   * @throws dev.secateur.SecateurException if the driver refuses
   */
  MemoryPool(int ordinal) {
    IntByReference device = new IntByReference();
    call("cuDeviceGet", device, ordinal);
    PointerByReference out = new PointerByReference();
    call("cuDeviceGetDefaultMemPool", out, device.getValue());
    pool = out.getValue();
    call("cuMemPoolSetAttribute", pool, RELEASE_THRESHOLD, new LongByReference(ALL));
  }

  /**
   * Gives back what is not in use, for who allocates otherwise or for other processes.
   *
   * @return whether the driver did
   */
  boolean trim() {
    return status(TRIM, pool, 0L) == 0;
  }

  /** The same where nobody goes on to tell what failed. */
  void giveBack() {
    call(TRIM, pool, 0L);
  }

  private void call(String function, Object... arguments) {
    Status.driver(status(function, arguments), "the GPU's pool of memory (" + function + ")");
  }

  private int status(String function, Object... arguments) {
    return driver.getFunction(function).invokeInt(arguments);
  }
}
