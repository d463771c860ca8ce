package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.SecateurException;
import dev.secateur.device.HostBuffer;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUresult;

/**
 * Pinned memory and as much device memory. An upload goes to that device memory on the copy stream,
 * beside kernels that still run, and from there to its tensor in the kernels' order.
 */
final class CudaHostBuffer implements HostBuffer {
  private final CudaContext context;
  private final Consumer<CudaHostBuffer> onClose;
  private final Pointer host = new Pointer();
  private final DevicePointer staging;
  private final ByteBuffer bytes;
  private final CUevent arrived;
  private final CUevent taken;
  private boolean closed;

  CudaHostBuffer(CudaContext context, long size, Consumer<CudaHostBuffer> onClose) {
    this.context = context;
    this.onClose = onClose;
    context.enter();
    int status = cuMemHostAlloc(host, size, 0);
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      throw new SecateurException(
          "no " + size + " bytes of pinned memory left; use a smaller --batch-size");
    }
    Status.driver(status, "cuMemHostAlloc");
    staging = context.allocateShared(size);
    bytes = host.getByteBuffer(0, size).order(ByteOrder.nativeOrder());
    arrived = context.event();
    taken = context.event();
  }

  @Override
  public ByteBuffer bytes() {
    return bytes;
  }

  /** Enqueues a copy of the first bytes to a tensor in the same order of elements. */
  void upload(Tensor dst) {
    long size = dst.bytes();
    context.enter();
    Status.driver(cuStreamWaitEvent(context.copies(), taken, 0), "cuStreamWaitEvent");
    Status.driver(cuMemcpyHtoDAsync(staging, host, size, context.copies()), "cuMemcpyHtoDAsync");
    Status.driver(cuEventRecord(arrived, context.copies()), "cuEventRecord");
    Status.driver(cuStreamWaitEvent(context.stream(), arrived, 0), "cuStreamWaitEvent");
    Status.driver(
        cuMemcpyDtoDAsync(CudaBuffer.pointer(dst), staging, size, context.stream()),
        "cuMemcpyDtoDAsync");
    Status.driver(cuEventRecord(taken, context.stream()), "cuEventRecord");
  }

  @Override
  public void awaitRead() {
    if (!closed) {
      context.enter();
      Status.driver(cuEventSynchronize(arrived), "waiting for an upload");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.freeShared(staging); // waits for the GPU
      Status.driver(cuEventDestroy(arrived), "cuEventDestroy");
      Status.driver(cuEventDestroy(taken), "cuEventDestroy");
      Status.driver(cuMemFreeHost(host), "cuMemFreeHost");
      onClose.accept(this);
    }
  }
}
