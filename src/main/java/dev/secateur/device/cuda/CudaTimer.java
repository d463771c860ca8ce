package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;

/** Times work between events on the stream of kernels. */
final class CudaTimer {
  private final CudaContext context;
  private final List<CUevent> stamps = new ArrayList<>();
  private final Cleanup closers = new Cleanup();

  CudaTimer(CudaContext context) {
    this.context = context;
    context.enter();
    try {
      stamps(2);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  private void stamps(int wanted) {
    while (stamps.size() < wanted) {
      CUevent e = new CUevent();
      Status.driver(
          cuEventCreate(e, CUevent_flags.CU_EVENT_DEFAULT), "creating an event (cuEventCreate)");
      closers.add(() -> context.destroy(e));
      stamps.add(e);
    }
  }

  /** Milliseconds by cuEventElapsedTime; waits for the work, and before it for all earlier work. */
  double milliseconds(Runnable work) {
    context.synchronize();
    record(0);
    work.run();
    record(1);
    await(1);
    return elapsed(0);
  }

  /**
   * An event before, between and behind the kernels. Where the first has not happened yet when the
   * last is enqueued (cuEventQuery), the GPU never waited for the host.
   */
  KernelTimes each(Kernel ahead, List<Kernel> kernels) {
    context.synchronize();
    stamps(kernels.size() + 1);
    ahead.launch();
    record(0);
    for (int i = 0; i < kernels.size(); i++) {
      kernels.get(i).launch();
      record(i + 1);
    }
    int begun = cuEventQuery(stamps.get(0));
    if (begun != CUresult.CUDA_ERROR_NOT_READY) {
      Status.driver(begun, "asking for an event (cuEventQuery)");
    }
    await(kernels.size());
    double[] out = new double[kernels.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = elapsed(i);
    }
    return new KernelTimes(out, begun == CUresult.CUDA_ERROR_NOT_READY);
  }

  private void record(int stamp) {
    Status.driver(cuEventRecord(stamps.get(stamp), context.stream()), "timing (cuEventRecord)");
  }

  private void await(int stamp) {
    Status.driver(cuEventSynchronize(stamps.get(stamp)), "waiting (cuEventSynchronize)");
  }

  private double elapsed(int stamp) {
    float[] ms = new float[1];
    Status.driver(
        cuEventElapsedTime(ms, stamps.get(stamp), stamps.get(stamp + 1)),
        "timing (cuEventElapsedTime)");
    return ms[0];
  }

  void close() {
    context.enter();
    closers.close();
  }
}
