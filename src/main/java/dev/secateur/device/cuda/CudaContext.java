package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;

/**
 * One GPU's primary context, its two streams and its memory. Work of kernels is ordered by {@link
 * #stream}; {@link #copies} carries uploads of staging memory beside it.
 */
final class CudaContext {
  /** Whose context is current in a thread; a device may be driven by another than its creator. */
  private static final ThreadLocal<CudaContext> CURRENT = new ThreadLocal<>();

  private final int ordinal;
  private final CUdevice device;
  private final CUcontext context = new CUcontext();
  private final CUstream stream = new CUstream();
  private final CUstream copies = new CUstream();
  private final Cleanup closers = new Cleanup();
  private final Optional<MemoryPool> pool;
  private final int processors;
  private Optional<Set<CudaBuffer>> launched = Optional.empty();
  private boolean closed;

  /**
   * @throws SecateurException if there is no such GPU
   */
  CudaContext(int ordinal) {
    this.ordinal = ordinal;
    this.device = found(ordinal);
    Status.driver(cuDevicePrimaryCtxRetain(context, device), "opening GPU " + ordinal);
    closers.add(() -> Status.driver(cuDevicePrimaryCtxRelease(device), "closing GPU " + ordinal));
    closers.add(CURRENT::remove);
    try {
      enter();
      open(stream);
      open(copies);
      pool =
          attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0
              ? Optional.of(new MemoryPool(ordinal))
              : Optional.empty();
      pool.ifPresent(p -> closers.add(p::giveBack));
      processors = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  private static CUdevice found(int ordinal) {
    int count = deviceCount();
    if (ordinal >= count) {
      throw new SecateurException(
          "no device cuda:" + ordinal + ": " + count + (count == 1 ? " GPU" : " GPUs") + " found");
    }
    CUdevice out = new CUdevice();
    Status.driver(cuDeviceGet(out, ordinal), "finding the GPU (cuDeviceGet)");
    return out;
  }

  private void open(CUstream s) {
    int flags = CUstream_flags.CU_STREAM_NON_BLOCKING;
    Status.driver(cuStreamCreate(s, flags), "creating a stream (cuStreamCreate)");
    closers.add(() -> Status.driver(cuStreamDestroy(s), "closing a stream (cuStreamDestroy)"));
  }

  /** GPUs that the driver shows; the driver library must be loaded. */
  static int deviceCount() {
    int status = cuInit(0);
    if (status == CUresult.CUDA_ERROR_NO_DEVICE) {
      return 0;
    }
    Status.driver(status, "starting CUDA (cuInit)");
    int[] count = new int[1];
    Status.driver(cuDeviceGetCount(count), "counting GPUs (cuDeviceGetCount)");
    return count[0];
  }

  /** The newest CUDA that the driver serves, such as 12.6. */
  static String driverVersion() {
    int[] v = new int[1];
    Status.driver(cuDriverGetVersion(v), "asking the driver's version (cuDriverGetVersion)");
    return v[0] / 1000 + "." + v[0] / 10 % 100;
  }

  /** Makes the context current in the calling thread. */
  void enter() {
    if (CURRENT.get() != this) {
      if (closed) {
        throw new IllegalStateException("the device is closed");
      }
      Status.driver(cuCtxSetCurrent(context), "entering the GPU's context (cuCtxSetCurrent)");
      CURRENT.set(this);
    }
  }

  int ordinal() {
    return ordinal;
  }

  /** Kernels, in the order of their launches. */
  CUstream stream() {
    return stream;
  }

  /** Uploads. */
  CUstream copies() {
    return copies;
  }

  int processors() {
    return processors;
  }

  /** A kernel over tensors of this device: enters the context and refuses freed memory. */
  Kernel kernel(List<Tensor> tensors, Runnable enqueue) {
    CudaBuffer[] buffers =
        tensors.stream().map(CudaBuffer::of).distinct().toArray(CudaBuffer[]::new);
    return () -> {
      enter();
      for (CudaBuffer b : buffers) {
        b.requireOpen();
      }
      launched.ifPresent(all -> all.addAll(Arrays.asList(buffers)));
      enqueue.run();
    };
  }

  /** Launches kernels and gathers the memory that they work on in {@code buffers}. */
  void launch(Kernel kernels, Set<CudaBuffer> buffers) {
    launched = Optional.of(buffers);
    try {
      kernels.launch();
    } finally {
      launched = Optional.empty();
    }
  }

  /** Whether kernels are being launched by {@link #launch}. */
  boolean gathering() {
    return launched.isPresent();
  }

  void synchronize() {
    enter();
    int uploads = cuStreamSynchronize(copies);
    int kernels = cuStreamSynchronize(stream);
    Status.driver(uploads, "waiting for uploads (cuStreamSynchronize)");
    Status.driver(kernels, "waiting for the GPU (cuStreamSynchronize)");
  }

  CUevent event() {
    CUevent e = new CUevent();
    Status.driver(
        cuEventCreate(e, CUevent_flags.CU_EVENT_DISABLE_TIMING),
        "creating an event (cuEventCreate)");
    return e;
  }

  void destroy(CUevent e) {
    Status.driver(cuEventDestroy(e), "closing an event (cuEventDestroy)");
  }

  // ---- memory ----------------------------------------------------------------------------------

  /** Memory whose life is ordered by {@link #stream}. */
  DevicePointer allocate(long bytes) {
    if (pool.isEmpty()) {
      return allocateShared(bytes);
    }
    enter();
    DevicePointer p = new DevicePointer();
    requireMemory(cuMemAllocAsync(p, bytes, stream), bytes);
    return p;
  }

  /** Frees after what was launched so far. */
  void free(DevicePointer p) {
    enter();
    if (pool.isPresent()) {
      Status.driver(cuMemFreeAsync(p, stream), "freeing memory of the GPU (cuMemFreeAsync)");
    } else {
      freeShared(p);
    }
  }

  /** Memory for both streams. */
  DevicePointer allocateShared(long bytes) {
    enter();
    DevicePointer p = new DevicePointer();
    int status = cuMemAlloc(p, bytes);
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY && trimmed()) {
      status = cuMemAlloc(p, bytes);
    }
    requireMemory(status, bytes);
    return p;
  }

  /** Whether the pool gave back what was freed; what fails here is told by who goes on. */
  private boolean trimmed() {
    return pool.isPresent()
        && cuStreamSynchronize(copies) == CUresult.CUDA_SUCCESS
        && cuStreamSynchronize(stream) == CUresult.CUDA_SUCCESS
        && pool.get().trim();
  }

  /** Waits for the GPU and frees memory of {@link #allocateShared}. */
  void freeShared(DevicePointer p) {
    enter();
    int uploads = cuStreamSynchronize(copies);
    int kernels = cuStreamSynchronize(stream);
    int freed = cuMemFree(p);
    Status.driver(uploads, "waiting for uploads (cuStreamSynchronize)");
    Status.driver(kernels, "waiting for the GPU (cuStreamSynchronize)");
    Status.driver(freed, "freeing memory of the GPU (cuMemFree)");
  }

  /** Page-locked memory of the host. */
  Pointer allocatePinned(long bytes) {
    enter();
    Pointer p = new Pointer();
    int status = cuMemHostAlloc(p, bytes, 0);
    Status.driver(status, "allocating " + bytes + " bytes of pinned host memory (cuMemHostAlloc)");
    return p;
  }

  void freePinned(Pointer p) {
    Status.driver(cuMemFreeHost(p), "freeing pinned host memory (cuMemFreeHost)");
  }

  private void requireMemory(int status, long bytes) {
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      long[] free = new long[1];
      long[] total = new long[1];
      pool.ifPresent(MemoryPool::trim); // else what it holds is not counted as free
      boolean known = cuMemGetInfo(free, total) == CUresult.CUDA_SUCCESS;
      throw new SecateurException(
              "the GPU's memory is full: "
                  + bytes
                  + " bytes were asked for"
                  + (known ? ", " + free[0] + " of " + total[0] + " are free" : "")
                  + "; use a smaller batch ("
                  + CUresult.stringFor(status)
                  + ")")
          .about("scoring.batch-size");
    }
    Status.driver(status, "allocating " + bytes + " bytes on the GPU");
  }

  // ---- the GPU in words ------------------------------------------------------------------------

  /** As NVIDIA names it. */
  String name() {
    byte[] name = new byte[256];
    Status.driver(
        cuDeviceGetName(name, name.length, device), "asking the GPU's name (cuDeviceGetName)");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, StandardCharsets.UTF_8);
  }

  /** Domain, bus, device and function, such as 0000:5E:00.0. */
  String pciBusId() {
    String[] id = new String[1];
    Status.driver(
        cuDeviceGetPCIBusId(id, 32, device),
        "asking where the GPU is plugged in (cuDeviceGetPCIBusId)");
    return id[0];
  }

  /** The compute capability times ten. */
  int capability() {
    return capability(device);
  }

  /**
   * The same of a GPU that is not opened.
   *
   * @throws SecateurException if there is no such GPU
   */
  static int capability(int ordinal) {
    return capability(found(ordinal));
  }

  private static int capability(CUdevice device) {
    return 10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  String description() {
    long[] memory = new long[1];
    Status.driver(cuDeviceTotalMem(memory, device), "asking the GPU's memory (cuDeviceTotalMem)");
    return name()
        + ", compute capability "
        + capability() / 10
        + "."
        + capability() % 10
        + ", "
        + memory[0] / (1 << 20)
        + " MiB";
  }

  private int attribute(int which) {
    return attribute(device, which);
  }

  private static int attribute(CUdevice device, int which) {
    int[] value = new int[1];
    Status.driver(
        cuDeviceGetAttribute(value, which, device),
        "asking what the GPU can do (cuDeviceGetAttribute)");
    return value[0];
  }

  /** After everything that was made in it. */
  void close() {
    enter();
    closed = true;
    closers.close();
  }
}
