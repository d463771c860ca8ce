package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;

/** Times work between two events on the stream of kernels. */
final class CudaTimer {
  private final CudaContext context;
  private final CUevent start = new CUevent();
  private final CUevent end = new CUevent();

  CudaTimer(CudaContext context) {
    this.context = context;
    context.enter();
    Status.driver(cuEventCreate(start, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate");
    Status.driver(cuEventCreate(end, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate");
  }

  /** Milliseconds by cuEventElapsedTime; waits for the work, and before it for all earlier work. */
  double milliseconds(Runnable work) {
    context.synchronize();
    Status.driver(cuEventRecord(start, context.stream()), "cuEventRecord");
    work.run();
    Status.driver(cuEventRecord(end, context.stream()), "cuEventRecord");
    Status.driver(cuEventSynchronize(end), "waiting for the GPU");
    float[] elapsed = new float[1];
    Status.driver(cuEventElapsedTime(elapsed, start, end), "cuEventElapsedTime");
    return elapsed[0];
  }

  void close() {
    context.enter();
    Status.driver(cuEventDestroy(start), "cuEventDestroy");
    Status.driver(cuEventDestroy(end), "cuEventDestroy");
  }
}
