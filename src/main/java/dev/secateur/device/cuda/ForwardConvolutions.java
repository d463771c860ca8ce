package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.cuda.ConvolutionAlgorithms.Pass;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnNanPropagation;

/**
 * Convolutions with what follows them by cuDNN's calls by algorithm, as far as those fuse it, and
 * our own kernels.
 */
final class ForwardConvolutions {
  static final String LOSSY = "cuDNN fuses a convolution only with a ReLU that makes 0 of NaN";

  private final ConvolutionTools tools;
  private final Consumer<String> told;

  /**
   * @param told of what is done otherwise than asked for
   */
  ForwardConvolutions(ConvolutionTools tools, Consumer<String> told) {
    this.tools = tools;
    this.told = told;
  }

  Kernel compile(ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    CudnnConvolution plan = new CudnnConvolution(tools, spec, x, w, y, Pass.FORWARD, told);
    boolean fusable =
        epilogue.bias().isPresent()
            && !plan.converted()
            && (epilogue.activation() == Activation.RELU
                || plan.chosen().algorithm()
                    == cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
    Call call = new Call(plan, plan.readInput(x), plan.read(w), plan.write(y), y);
    Kernel kernel =
        fusable
            ? plan.around(fused(call, x, w, epilogue))
            : followed(plan.around(plain(call, x, w)), y, epilogue);
    return epilogue
        .function()
        .map(f -> Kernel.each(List.of(kernel, tools.pointwise().compileElementwise(f, y, y))))
        .orElse(kernel);
  }

  private record Call(
      CudnnConvolution plan,
      Supplier<DevicePointer> x,
      Supplier<DevicePointer> w,
      Supplier<DevicePointer> py,
      Tensor y) {}

  private Kernel plain(Call c, Tensor x, Tensor w) {
    CudnnConvolution p = c.plan();
    cudnnConvolutionDescriptor conv = p.conv();
    return tools
        .context()
        .kernel(
            List.of(x, w, c.y()),
            () ->
                Status.cudnn(
                    cudnnConvolutionForward(
                        tools.cudnn().handle(),
                        Constants.ONE,
                        p.problem().x(),
                        c.x().get(),
                        p.problem().w(),
                        c.w().get(),
                        conv,
                        p.chosen().algorithm(),
                        p.space(),
                        p.chosen().bytes(),
                        Constants.ZERO,
                        p.problem().y(),
                        c.py().get()),
                    "a convolution (cudnnConvolutionForward)"));
  }

  /** With bias, residual and activation by our own kernel. */
  private Kernel followed(Kernel convolve, Tensor y, Epilogue epilogue) {
    boolean plain =
        epilogue.bias().isEmpty()
            && epilogue.residual().isEmpty()
            && epilogue.activation() == Activation.NONE;
    if (plain) {
      return convolve;
    }
    return Kernel.each(
        List.of(
            convolve,
            tools
                .pointwise()
                .epilogue(y, epilogue.bias(), epilogue.residual(), epilogue.activation())));
  }

  /**
   * By cudnnConvolutionBiasActivationForward; identity goes with IMPLICIT_PRECOMP_GEMM only, ReLU6
   * is cut off afterwards. Where cuDNN cannot fuse an activation that passes NaN on, one that makes
   * 0 of it is tried; what it cannot fuse at all runs separately from then on.
   */
  private Kernel fused(Call c, Tensor x, Tensor w, Epilogue epilogue) {
    Tensor bias = epilogue.bias().orElseThrow();
    List<Tensor> all = new ArrayList<>(List.of(x, w, c.y(), bias));
    epilogue.residual().ifPresent(all::add);
    Kernel apart = followed(plain(c, x, w), c.y(), epilogue);
    Kernel clip = tools.pointwise().compileActivation(epilogue.activation(), c.y(), c.y());
    boolean clips = epilogue.activation() == Activation.RELU6;
    IntSupplier exact = fusedCall(c, epilogue, cudnnNanPropagation.CUDNN_PROPAGATE_NAN);
    IntSupplier lossy = fusedCall(c, epilogue, cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN);
    Refusal refusal = new Refusal();
    Refusal both = new Refusal();
    return tools
        .context()
        .kernel(
            all,
            () -> {
              if (!refusal.refused() && done(refusal, exact)) {
                after(clips, clip);
                return;
              }
              if (!both.refused()) {
                boolean first = !both.asked();
                if (done(both, lossy)) {
                  if (first) {
                    told.accept(LOSSY);
                  }
                  after(clips, clip);
                  return;
                }
                told.accept(
                    "cuDNN does not fuse a convolution in "
                        + tools.precision()
                        + " with bias and activation: they follow apart");
              }
              apart.launch();
            });
  }

  private static void after(boolean clips, Kernel clip) {
    if (clips) {
      clip.launch();
    }
  }

  /** Whether cuDNN did it; false where it refuses. */
  private static boolean done(Refusal refusal, IntSupplier call) {
    int status = call.getAsInt();
    if (refusal.is(status)) {
      return false;
    }
    Status.cudnn(status, "a convolution (cudnnConvolutionBiasActivationForward)");
    return true;
  }

  private IntSupplier fusedCall(Call c, Epilogue epilogue, int nan) {
    CudnnConvolution p = c.plan();
    Tensor bias = epilogue.bias().orElseThrow();
    Optional<Tensor> residual = epilogue.residual();
    DevicePointer py = CudaBuffer.pointer(c.y());
    DevicePointer pb = CudaBuffer.pointer(bias);
    DevicePointer pz = residual.map(CudaBuffer::pointer).orElse(py);
    Pointer share = residual.isPresent() ? Constants.ONE : Constants.ZERO;
    boolean relu = epilogue.activation() == Activation.RELU;
    var activation =
        tools
            .cudnn()
            .activation(
                relu
                    ? cudnnActivationMode.CUDNN_ACTIVATION_RELU
                    : cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY,
                nan);
    var bd = tools.cudnn().channels(bias.elements(), bias.dtype());
    cudnnConvolutionDescriptor conv = p.conv();
    return () ->
        cudnnConvolutionBiasActivationForward(
            tools.cudnn().handle(),
            Constants.ONE,
            p.problem().x(),
            c.x().get(),
            p.problem().w(),
            c.w().get(),
            conv,
            p.chosen().algorithm(),
            p.space(),
            p.chosen().bytes(),
            share,
            p.problem().y(),
            pz,
            bd,
            pb,
            activation,
            p.problem().y(),
            py);
  }
}
