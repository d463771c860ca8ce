package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.cublasStatus;
import jcuda.jcudnn.JCudnn;
import jcuda.jcusolver.cusolverStatus;

/** Turns the libraries' status codes into exceptions that name the error as CUDA does. */
final class Status {
  private Status() {}

  /** Of a driver call. */
  static void driver(int status, String what) {
    if (status != CUresult.CUDA_SUCCESS) {
      throw driverFailure(status, what);
    }
  }

  /** What {@link #driver} throws. */
  static SecateurException driverFailure(int status, String what) {
    return failure(what, driverName(status));
  }

  /** CUDA_ERROR_... and its explanation. */
  static String driverName(int status) {
    String[] text = new String[1];
    int known = JCudaDriver.cuGetErrorString(status, text);
    String name = CUresult.stringFor(status);
    return known == CUresult.CUDA_SUCCESS && text[0] != null ? name + ": " + text[0] : name;
  }

  static void cudnn(int status, String what) {
    if (status != 0) {
      String name = JCudnn.cudnnGetErrorString(status);
      throw failure(what, CudnnMessage.last().map(m -> name + " (" + m + ")").orElse(name));
    }
  }

  /** Whether cuDNN cannot do what was asked at all; 9 until cuDNN 8, 3000 to 3999 since. */
  static boolean cudnnCannot(int status) {
    return status == 9 || (status >= 3000 && status < 4000);
  }

  static void cublas(int status, String what) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw failure(what, cublasStatus.stringFor(status));
    }
  }

  static void cusolver(int status, String what) {
    if (status != cusolverStatus.CUSOLVER_STATUS_SUCCESS) {
      throw failure(what, cusolverStatus.stringFor(status));
    }
  }

  private static SecateurException failure(String what, String name) {
    boolean memory = name.contains("OUT_OF_MEMORY") || name.contains("ALLOC");
    return new SecateurException(
            memory
                ? "CUDA: no memory left for "
                    + what
                    + ": "
                    + name
                    + "; use a smaller batch, or end what else uses the GPU"
                : "CUDA: " + what + " failed: " + name)
        .about(memory ? "scoring.batch-size" : "");
  }
}
