package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.SecateurException;
import dev.secateur.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;

/**
 * Our own kernels: kernels/*.cu, compiled to PTX, which the driver compiles for the GPU at hand.
 */
final class CudaKernels {
  private static final String RESOURCE = "/dev/secateur/kernels.ptx";
  private final CudaContext context;
  private final CudaWorkspace workspace;
  private final CUmodule module = new CUmodule();
  private final Map<String, CUfunction> functions = new HashMap<>();

  CudaKernels(CudaContext context, CudaWorkspace workspace) {
    this.context = context;
    this.workspace = workspace;
    context.enter();
    int status = cuModuleLoadData(module, ptx());
    if (status == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
        || status == CUresult.CUDA_ERROR_INVALID_PTX) {
      throw new SecateurException(
          "cuda:"
              + context.ordinal()
              + " is "
              + context.description()
              + "; Secateur needs compute capability 7.5 (Turing) or later ("
              + CUresult.stringFor(status)
              + ")");
    }
    Status.driver(status, "loading Secateur's kernels");
  }

  /** Text ends with a zero, as the driver expects. */
  private static byte[] ptx() {
    try (InputStream in = CudaKernels.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException("the jar has no " + RESOURCE);
      }
      byte[] text = in.readAllBytes();
      return Arrays.copyOf(text, text.length + 1);
    } catch (IOException e) {
      throw new SecateurException("cannot read " + RESOURCE, e);
    }
  }

  /** Begins a launch of secateur_{@code name}. */
  Launch.Builder launch(String name) {
    return new Launch.Builder(
        context, workspace, functions.computeIfAbsent("secateur_" + name, this::function));
  }

  /** The same for activations of a type. */
  Launch.Builder launch(String name, DType type) {
    return switch (type) {
      case F16 -> launch(name + "_f16");
      case BF16 -> launch(name + "_bf16");
      default -> launch(name);
    };
  }

  private CUfunction function(String name) {
    context.enter();
    CUfunction f = new CUfunction();
    Status.driver(cuModuleGetFunction(f, module, name), "finding kernel " + name);
    return f;
  }

  void close() {
    Status.driver(cuModuleUnload(module), "unloading kernels (cuModuleUnload)");
  }
}
