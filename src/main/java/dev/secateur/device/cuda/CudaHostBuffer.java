package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.device.HostBuffer;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import jcuda.Pointer;
import jcuda.driver.CUevent;

/**
 * Pinned memory and as much device memory. An upload goes to that device memory on the copy stream,
 * beside kernels that still run, and from there to its tensor in the kernels' order.
 */
final class CudaHostBuffer implements HostBuffer {
  private final CudaContext context;
  private final Consumer<CudaHostBuffer> onClose;
  private final Cleanup closers = new Cleanup();
  private final Pointer host;
  private final DevicePointer staging;
  private final ByteBuffer bytes;
  private final CUevent arrived;
  private final CUevent taken;
  private boolean closed;

  CudaHostBuffer(CudaContext context, long size, Consumer<CudaHostBuffer> onClose) {
    this.context = context;
    this.onClose = onClose;
    try {
      host = context.allocatePinned(size);
      closers.add(() -> context.freePinned(host));
      bytes = host.getByteBuffer(0, size).order(ByteOrder.nativeOrder());
      arrived = context.event();
      closers.add(() -> context.destroy(arrived));
      taken = context.event();
      closers.add(() -> context.destroy(taken));
      staging = context.allocateShared(size);
      closers.add(() -> context.freeShared(staging)); // the first to go: waits for the GPU
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  @Override
  public ByteBuffer bytes() {
    return bytes;
  }

  /** Enqueues a copy of the first bytes to a tensor in the same order of elements. */
  void upload(Tensor dst) {
    long size = dst.bytes();
    context.enter();
    Status.driver(
        cuStreamWaitEvent(context.copies(), taken, 0), "ordering a copy (cuStreamWaitEvent)");
    Status.driver(
        cuMemcpyHtoDAsync(staging, host, size, context.copies()),
        "copying to the GPU (cuMemcpyHtoDAsync)");
    Status.driver(cuEventRecord(arrived, context.copies()), "marking a copy (cuEventRecord)");
    Status.driver(
        cuStreamWaitEvent(context.stream(), arrived, 0), "ordering a copy (cuStreamWaitEvent)");
    Status.driver(
        cuMemcpyDtoDAsync(CudaBuffer.pointer(dst), staging, size, context.stream()),
        "copying on the GPU (cuMemcpyDtoDAsync)");
    Status.driver(cuEventRecord(taken, context.stream()), "marking a copy (cuEventRecord)");
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
      onClose.accept(this);
      closers.close();
    }
  }
}
