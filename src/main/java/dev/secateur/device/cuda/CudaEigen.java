package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.jcusolver.JCusolverDn.*;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.List;
import jcuda.Pointer;
import jcuda.jcublas.cublasFillMode;
import jcuda.jcusolver.JCusolver;
import jcuda.jcusolver.cusolverDnHandle;
import jcuda.jcusolver.cusolverEigMode;
import jcuda.runtime.cudaStream_t;

/**
 * Eigenvectors by cusolverDnDsyevd. It writes them into columns, columns first: into the rows of a
 * row-major matrix. Each decomposition waits for its own end, so it cannot be part of a sequence.
 */
final class CudaEigen {
  private static final int VECTORS = cusolverEigMode.CUSOLVER_EIG_MODE_VECTOR;
  private static final int LOWER = cublasFillMode.CUBLAS_FILL_MODE_LOWER;
  private static final long INFO = CudaWorkspace.aligned(Integer.BYTES);
  private static final String WHAT = "eigenvectors (cusolverDnDsyevd)";
  private final CudaContext context;
  private final CudaWorkspace workspace;
  private final cusolverDnHandle handle = new cusolverDnHandle();

  CudaEigen(CudaContext context, CudaWorkspace workspace) {
    this.context = context;
    this.workspace = workspace;
    context.enter();
    Status.cusolver(cusolverDnCreate(handle), "opening cuSolver (cusolverDnCreate)");
    try {
      Status.cusolver(
          cusolverDnSetStream(handle, new cudaStream_t(context.stream())),
          "opening cuSolver (cusolverDnSetStream)");
    } catch (RuntimeException e) {
      throw Cleanup.after(e, this::close);
    }
  }

  static String version() {
    int[] v = new int[1];
    Status.cusolver(
        JCusolver.cusolverGetVersion(v), "asking cuSolver's version (cusolverGetVersion)");
    return v[0] / 1000 + "." + v[0] / 100 % 10 + "." + v[0] % 100;
  }

  Kernel symmetric(Tensor a, Tensor eigenvalues) {
    int n = a.shape().size(0);
    DevicePointer pa = CudaBuffer.pointer(a);
    DevicePointer pw = CudaBuffer.pointer(eigenvalues);
    int[] length = new int[1];
    context.enter();
    Status.cusolver(
        cusolverDnDsyevd_bufferSize(handle, VECTORS, LOWER, n, pa, n, pw, length),
        "planning eigenvectors (cusolverDnDsyevd_bufferSize)");
    workspace.reserve(INFO + (long) length[0] * Double.BYTES);
    return context.kernel(
        List.of(a, eigenvalues),
        () -> {
          Status.cusolver(
              cusolverDnDsyevd(
                  handle,
                  VECTORS,
                  LOWER,
                  n,
                  pa,
                  n,
                  pw,
                  workspace.at(INFO),
                  length[0],
                  workspace.pointer()),
              WHAT);
          requireConverged();
        });
  }

  /** Waits for the result: cuSolver tells on the device only whether it came to one. */
  private void requireConverged() {
    int[] info = new int[1];
    context.synchronize();
    Status.driver(
        cuMemcpyDtoH(Pointer.to(info), workspace.pointer(), Integer.BYTES), "reading " + WHAT);
    if (info[0] != 0) {
      throw new SecateurException(
          "CUDA: " + WHAT + " did not converge (info " + info[0] + "): is a feature not finite?");
    }
  }

  void close() {
    Status.cusolver(cusolverDnDestroy(handle), "closing cuSolver (cusolverDnDestroy)");
  }
}
