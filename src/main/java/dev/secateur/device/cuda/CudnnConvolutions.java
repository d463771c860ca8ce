package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Contract;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.device.cuda.ConvolutionAlgorithms.Pass;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import jcuda.jcudnn.cudnnConvolutionDescriptor;

/**
 * Convolutions by cuDNN. Its calls by algorithm pad both sides alike: where a specification does
 * not, the input is padded into scratch memory first, and its gradient cut out of scratch memory
 * afterwards. Where cuDNN has no algorithm in 16 bits or for N, H, W, C, operands are converted to
 * single precision and N, C, H, W in scratch memory. A convolution with something behind it goes by
 * cuDNN's graph API where that is faster ({@link GraphConvolutions}).
 */
final class CudnnConvolutions implements Convolutions {
  private final Contract contract;
  private final ConvolutionTools tools;
  private final ForwardConvolutions forward;
  private final GraphConvolutions plans;
  private final Fallbacks fallbacks;

  CudnnConvolutions(
      Contract contract,
      CudaContext context,
      Cudnn cudnn,
      CudaWorkspace workspace,
      CudaPointwise pointwise,
      CudaMoves moves,
      CudaGraphs graphs,
      CudaTimer timer,
      Precision precision,
      Fallbacks fallbacks) {
    this.contract = contract;
    Optional<AlgorithmCache> cache = ConvolutionAlgorithms.cache(context);
    this.tools =
        new ConvolutionTools(
            context,
            cudnn,
            workspace,
            pointwise,
            moves,
            precision,
            new ConvolutionAlgorithms(context, cudnn, cache));
    this.forward = new ForwardConvolutions(tools, fallbacks::add);
    this.plans = new GraphConvolutions(tools, graphs, timer, cache, fallbacks);
    this.fallbacks = fallbacks;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileForward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    tools.context().enter();
    return plans
        .compile(spec, x, w, epilogue, y)
        .orElseGet(() -> forward.compile(spec, x, w, epilogue, y));
  }

  @Override
  public Kernel compileBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    tools.context().enter();
    CudnnConvolution p = new CudnnConvolution(tools, spec, dx, w, dy, Pass.DATA, fallbacks::add);
    Supplier<DevicePointer> pw = p.read(w);
    Supplier<DevicePointer> py = p.read(dy);
    Supplier<DevicePointer> px = p.writeInput(dx);
    cudnnConvolutionDescriptor conv = p.conv();
    return p.around(
        tools
            .context()
            .kernel(
                List.of(dy, w, dx),
                () ->
                    Status.cudnn(
                        cudnnConvolutionBackwardData(
                            tools.cudnn().handle(),
                            Constants.ONE,
                            p.problem().w(),
                            pw.get(),
                            p.problem().y(),
                            py.get(),
                            conv,
                            p.chosen().algorithm(),
                            p.space(),
                            p.chosen().bytes(),
                            Constants.ZERO,
                            p.problem().x(),
                            px.get()),
                        "a convolution's gradient (cudnnConvolutionBackwardData)")));
  }

  @Override
  public Kernel compileBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    tools.context().enter();
    CudnnConvolution p = new CudnnConvolution(tools, spec, x, dw, dy, Pass.WEIGHTS, fallbacks::add);
    Supplier<DevicePointer> px = p.readInput(x);
    Supplier<DevicePointer> py = p.read(dy);
    Supplier<DevicePointer> pw = p.write(dw);
    cudnnConvolutionDescriptor conv = p.conv();
    return p.around(
        tools
            .context()
            .kernel(
                List.of(x, dy, dw),
                () ->
                    Status.cudnn(
                        cudnnConvolutionBackwardFilter(
                            tools.cudnn().handle(),
                            Constants.ONE,
                            p.problem().x(),
                            px.get(),
                            p.problem().y(),
                            py.get(),
                            conv,
                            p.chosen().algorithm(),
                            p.space(),
                            p.chosen().bytes(),
                            Constants.ZERO,
                            p.problem().w(),
                            pw.get()),
                        "a convolution's gradient (cudnnConvolutionBackwardFilter)")));
  }

  /** Before cuDNN's handle is closed. */
  void close() {
    tools.context().enter();
    plans.close();
  }
}
