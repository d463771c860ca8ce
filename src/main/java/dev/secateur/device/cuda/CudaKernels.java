package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.SecateurException;
import dev.secateur.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;

/** Our own kernels: kernels/*.cu, as {@link KernelCode} has them. */
final class CudaKernels {
  private static final System.Logger LOG = System.getLogger(CudaKernels.class.getName());

  private final CudaContext context;
  private final CudaWorkspace workspace;
  private final CUmodule module = new CUmodule();
  private final Map<String, CUfunction> functions = new HashMap<>();

  CudaKernels(CudaContext context, CudaWorkspace workspace) {
    this.context = context;
    this.workspace = workspace;
    context.enter();
    int status = load();
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

  /** By code for this GPU where there is some that the driver takes, else by PTX. */
  private int load() {
    Optional<byte[]> code = KernelCode.of(context.capability());
    if (code.isPresent()) {
      int status = cuModuleLoadData(module, code.get());
      boolean refused =
          status == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
              || status == CUresult.CUDA_ERROR_INVALID_IMAGE;
      if (!refused) {
        return status;
      }
      LOG.log(
          System.Logger.Level.WARNING,
          "the driver does not take the kernels made for compute capability {0} ({1}); it compiles"
              + " them itself",
          context.capability(),
          CUresult.stringFor(status));
    }
    return cuModuleLoadData(module, KernelCode.ptx());
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
