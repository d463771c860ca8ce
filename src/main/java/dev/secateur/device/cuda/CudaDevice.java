package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Cleanup;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.DeviceReport;
import dev.secateur.device.EnergyMeter;
import dev.secateur.device.Epilogue;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.device.MixedPrecision;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.device.TrainingKernels;
import dev.secateur.device.VisionKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An NVIDIA GPU: layers by cuDNN, matrices by cuBLAS and cuSolver, the rest by our own kernels, all
 * on one stream. In single precision activations are N, C, H, W. For tensor cores (TF32, FP16,
 * BF16) they are N, H, W, C and filters K, R, S, C, which is how those read them: cuDNN would turn
 * N, C, H, W around before and after every convolution. {@link #sequence} makes a CUDA graph,
 * unless {@code -Dsecateur.cuda.graphs=false} is given.
 */
public final class CudaDevice implements Device {
  private final Precision precision;
  private final Cleanup closers = new Cleanup();
  private final Set<CudaArena> arenas = new HashSet<>();
  private final Set<CudaHostBuffer> hostBuffers = new HashSet<>();
  private final CudaContext context;
  private final CudaWorkspace workspace;
  private final CudaGraphs graphs;
  private final CudaCopies copies;
  private final CudaTimer timer;
  private final CudaPointwise pointwise;
  private final CudaMoves moves;
  private final CudaReductions reductions;
  private final CudaPls pls;
  private final CudaMatrix matrix;
  private final CudaEigen eigen;
  private final CudnnConvolutions convolutions;
  private final CudnnNorm norms;
  private final CudnnPool pools;
  private final MixedPrecision mixed;
  private final CudaVision vision;
  private boolean closed;

  private CudaDevice(int ordinal, Precision precision) {
    this.precision = precision;
    try {
      context = new CudaContext(ordinal);
      closers.add(context::close);
      copies = new CudaCopies(context);
      closers.add(copies::close);
      timer = new CudaTimer(context);
      closers.add(timer::close);
      workspace = new CudaWorkspace(context);
      closers.add(workspace::close);
      graphs = new CudaGraphs(context, workspace);
      CudaKernels kernels = new CudaKernels(context, workspace);
      closers.add(kernels::close);
      Cudnn cudnn = new Cudnn(context);
      closers.add(cudnn::close);
      pointwise = new CudaPointwise(context, kernels);
      matrix = new CudaMatrix(context, kernels, pointwise, precision);
      closers.add(matrix::close);
      eigen = new CudaEigen(context, workspace);
      closers.add(eigen::close);
      moves = new CudaMoves(kernels);
      reductions = new CudaReductions(kernels, workspace);
      pls = new CudaPls(kernels, workspace);
      convolutions = new CudnnConvolutions(context, cudnn, workspace, pointwise, moves, precision);
      norms = new CudnnNorm(context, cudnn, workspace, pointwise, kernels);
      pools = new CudnnPool(context, cudnn, kernels);
      mixed =
          new CudaMixedPrecision(
              kernels,
              pointwise,
              activationType(),
              (values, arena) -> CudaMixedPrecision.ints(copies, values, arena));
      vision = new CudaVision(kernels, pointwise);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  /**
   * @throws SecateurException in one line, if the driver, a library or the GPU is missing
   */
  public static CudaDevice open(int ordinal, Precision precision) {
    CudaLibraries.load();
    return new CudaDevice(ordinal, precision);
  }

  /** What CUDA there is on this machine; opens no device. */
  public static DeviceReport report() {
    boolean loaded = false;
    try {
      CudaLibraries.load();
      loaded = true;
      int count = CudaContext.deviceCount();
      return new DeviceReport(
          count > 0, false, count + (count == 1 ? " GPU" : " GPUs"), CudaLibraries.report());
    } catch (SecateurException e) {
      return new DeviceReport(false, loaded, e.getMessage(), CudaLibraries.report());
    }
  }

  @Override
  public String name() {
    return "cuda:" + context.ordinal();
  }

  @Override
  public String description() {
    context.enter();
    return context.description();
  }

  @Override
  public Map<String, String> versions() {
    context.enter();
    Map<String, String> out = new LinkedHashMap<>();
    out.put("CUDA driver", CudaContext.driverVersion());
    out.put("cuDNN", Cudnn.version());
    out.put("cuBLAS", matrix.version());
    out.put("cuSolver", CudaEigen.version());
    return out;
  }

  @Override
  public Layout activationLayout() {
    return precision == Precision.FP32 ? Layout.PLAIN : Layout.CHANNELS_LAST;
  }

  @Override
  public DType activationType() {
    return switch (precision) {
      case FP32, TF32 -> DType.F32;
      case FP16 -> DType.F16;
      case BF16 -> DType.BF16;
    };
  }

  @Override
  public Layout weightLayout() {
    return activationLayout();
  }

  @Override
  public Optional<MixedPrecision> mixedPrecision() {
    return precision == Precision.FP32 ? Optional.empty() : Optional.of(mixed);
  }

  @Override
  public Arena newArena() {
    requireOpen();
    CudaArena a = new CudaArena(context, arenas::remove);
    arenas.add(a);
    return a;
  }

  @Override
  public HostBuffer hostBuffer(long bytes) {
    requireOpen();
    CudaHostBuffer b = new CudaHostBuffer(context, bytes, hostBuffers::remove);
    hostBuffers.add(b);
    return b;
  }

  @Override
  public void upload(HostBuffer src, Tensor dst) {
    int capacity = src.bytes().capacity();
    Require.that(capacity >= dst.bytes(), capacity + " bytes of staging memory", dst);
    Require.that(dst.layout() == Layout.PLAIN, "staging memory is in PLAIN order", dst);
    if (!(src instanceof CudaHostBuffer own)) {
      throw new IllegalArgumentException("staging memory of another device");
    }
    own.upload(dst);
  }

  @Override
  public void upload(float[] src, Tensor dst) {
    copies.upload(src, dst);
  }

  @Override
  public void upload(int[] src, Tensor dst) {
    copies.upload(src, dst);
  }

  @Override
  public float[] downloadFloats(Tensor src) {
    return copies.floats(src);
  }

  @Override
  public double[] downloadDoubles(Tensor src) {
    return copies.doubles(src);
  }

  @Override
  public void synchronize() {
    context.synchronize();
  }

  @Override
  public Kernel sequence(List<Kernel> kernels, Arena arena) {
    return graphs.sequence(kernels, arena);
  }

  @Override
  public VisionKernels vision() {
    return vision;
  }

  @Override
  public double time(Runnable work) {
    return timer.milliseconds(work);
  }

  @Override
  public KernelTimes timeEach(Kernel ahead, List<Kernel> kernels) {
    return timer.each(ahead, kernels);
  }

  @Override
  public long takeScratchBytes() {
    return workspace.takeMostNeeded();
  }

  /** By NVML, for the GPU with this one's PCI address. */
  @Override
  public EnergyMeter openEnergyMeter() {
    return Nvml.open(LibraryLocator.system(), context.pciBusId());
  }

  @Override
  public Kernel convolution(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    context.enter();
    return convolutions.forward(spec, x, w, epilogue, y);
  }

  @Override
  public Kernel convolutionBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    context.enter();
    return convolutions.backwardData(spec, dy, w, dx);
  }

  @Override
  public Kernel convolutionBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    context.enter();
    return convolutions.backwardWeights(spec, x, dy, dw);
  }

  @Override
  public Kernel biasBackward(Tensor dy, Tensor db) {
    return reductions.biasBackward(dy, db);
  }

  @Override
  public Kernel batchNormInference(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor mean,
      Tensor variance,
      float eps,
      Activation activation,
      Tensor y) {
    return norms.inference(x, gamma, beta, mean, variance, eps, activation, y);
  }

  @Override
  public TrainingKernels batchNormTraining(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVariance,
      float momentum,
      float eps,
      boolean relu,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    return norms.training(
        new NormTraining(
            x,
            gamma,
            beta,
            runningMean,
            runningVariance,
            momentum,
            eps,
            relu,
            y,
            dy,
            dx,
            dgamma,
            dbeta,
            arena));
  }

  @Override
  public Kernel activation(Activation activation, Tensor x, Tensor y) {
    return pointwise.activation(activation, x, y);
  }

  @Override
  public Kernel activationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    return pointwise.activationBackward(activation, y, dy, dx);
  }

  @Override
  public Kernel pool(PoolSpec spec, Tensor x, Tensor y) {
    return pools.forward(spec, x, y);
  }

  @Override
  public TrainingKernels poolTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    return pools.training(spec, x, y, dy, dx);
  }

  @Override
  public Kernel add(Tensor a, Tensor b, Activation activation, Tensor y) {
    return pointwise.add(a, b, activation, y);
  }

  @Override
  public Kernel concat(List<Tensor> inputs, Tensor y) {
    return moves.concat(inputs, y);
  }

  @Override
  public Kernel sliceChannels(Tensor x, long from, Tensor y) {
    return moves.sliceChannels(x, from, y);
  }

  @Override
  public Kernel shortcut(Tensor x, int stride, long before, Tensor y) {
    return moves.shortcut(x, stride, before, y);
  }

  @Override
  public Kernel shortcutBackward(Tensor dy, int stride, long before, Tensor dx) {
    return moves.shortcutBackward(dy, stride, before, dx);
  }

  @Override
  public Kernel linear(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    return matrix.linear(x, w, epilogue, y);
  }

  @Override
  public Kernel linearBackwardData(Tensor dy, Tensor w, Tensor dx) {
    return matrix.product(false, false, dy, w, dx);
  }

  @Override
  public Kernel linearBackwardWeights(Tensor x, Tensor dy, Tensor dw) {
    Require.type("dw", dw, DType.F32);
    return matrix.product(true, false, dy, x, dw);
  }

  @Override
  public Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    return reductions.crossEntropy(logits, labels, smoothing, metrics, dlogits);
  }

  @Override
  public Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    return moves.imageInput(pixels, crops, padding, scale, shift, y);
  }

  @Override
  public Kernel copy(Tensor src, Tensor dst) {
    return pointwise.copy(src, dst);
  }

  @Override
  public Kernel fill(Tensor x, double value) {
    return pointwise.fill(x, value);
  }

  @Override
  public Kernel sgd(
      Tensor p,
      Tensor grad,
      Tensor velocity,
      Tensor lr,
      float momentum,
      boolean nesterov,
      float weightDecay) {
    return pointwise.sgd(p, grad, velocity, lr, momentum, nesterov, weightDecay, Optional.empty());
  }

  @Override
  public Kernel gather(Tensor x, int axis, Tensor indices, Tensor y) {
    return moves.gather(x, axis, indices, y);
  }

  @Override
  public Kernel poolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column) {
    return reductions.poolFeatures(kind, x, features, column);
  }

  @Override
  public Kernel gemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    return matrix.gemm(transposeA, transposeB, alpha, a, b, beta, c);
  }

  @Override
  public Kernel syrk(double alpha, Tensor a, double beta, Tensor c) {
    return matrix.syrk(alpha, a, beta, c);
  }

  @Override
  public Kernel accumulate(Tensor src, Tensor dst) {
    return pls.accumulate(src, dst);
  }

  @Override
  public Kernel accumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    return pls.accumulateFeatures(x, labels, shift, out, sums, counts, squares);
  }

  @Override
  public Kernel eigenSymmetric(Tensor a, Tensor eigenvalues) {
    return eigen.eigenSymmetric(a, eigenvalues);
  }

  @Override
  public Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    return pls.standardize(m, sumI, sumJ, n, factorI, factorJ, out);
  }

  @Override
  public Kernel inverseDeviation(Tensor squares, Tensor sum, Tensor n, Tensor factor) {
    return pls.inverseDeviation(squares, sum, n, factor);
  }

  @Override
  public Kernel multiply(Tensor a, Tensor b, Tensor out) {
    return pls.multiply(a, b, out);
  }

  @Override
  public Kernel scaleByPower(Tensor x, Tensor scalar, double exponent) {
    return pls.scaleByPower(x, scalar, exponent);
  }

  @Override
  public Kernel vip(Tensor w, Tensor s, Tensor vip) {
    return pls.vip(w, s, vip);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the device is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      arenas.forEach(a -> closers.add(a::close));
      hostBuffers.forEach(b -> closers.add(b::close));
      closers.add(context::synchronize);
      closers.close();
    }
  }
}
