package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.device.Cleanup;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;

/** Times work between two events on the stream of kernels. */
final class CudaTimer {
  private final CudaContext context;
  private final CUevent start = new CUevent();
  private final CUevent end = new CUevent();
  private final Cleanup closers = new Cleanup();

  CudaTimer(CudaContext context) {
    this.context = context;
    context.enter();
    try {
      create(start);
      create(end);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  private void create(CUevent e) {
    Status.driver(
        cuEventCreate(e, CUevent_flags.CU_EVENT_DEFAULT), "creating an event (cuEventCreate)");
    closers.add(() -> context.destroy(e));
  }

  /** Milliseconds by cuEventElapsedTime; waits for the work, and before it for all earlier work. */
  double milliseconds(Runnable work) {
    context.synchronize();
    record(start);
    work.run();
    record(end);
    Status.driver(cuEventSynchronize(end), "waiting for the GPU (cuEventSynchronize)");
    float[] elapsed = new float[1];
    Status.driver(cuEventElapsedTime(elapsed, start, end), "timing (cuEventElapsedTime)");
    return elapsed[0];
  }

  private void record(CUevent e) {
    Status.driver(cuEventRecord(e, context.stream()), "timing (cuEventRecord)");
  }

  void close() {
    context.enter();
    closers.close();
  }
}
