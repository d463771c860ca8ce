package dev.secateur.device.cpu;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.device.VisionKernels;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The processor: layers by oneDNN, matrices by OpenBLAS, on all cores. Kernels run while they are
 * launched, so there is nothing to wait for.
 */
public final class CpuDevice implements Device {
  static {
    // JavaCPP otherwise refuses small allocations once the process is large, which arenas make it.
    for (String limit : List.of("maxBytes", "maxPhysicalBytes")) {
      String key = "org.bytedeco.javacpp." + limit;
      if (System.getProperty(key) == null) {
        System.setProperty(key, "0");
      }
    }
  }

  private final CpuFeatureSums.SharedScratch featureScratch = new CpuFeatureSums.SharedScratch();
  private final Set<CpuArena> arenas = new HashSet<>();
  private final Dnnl dnnl = new Dnnl();
  private final PointwiseKernels pointwise = new PointwiseKernels(dnnl);
  private final ConvolutionKernels convolutions = new ConvolutionKernels(dnnl);
  private final NormKernels norms = new NormKernels(dnnl, pointwise);
  private final PoolKernels pools = new PoolKernels(dnnl);
  private final LinearKernels linears = new LinearKernels(dnnl);
  private final CopyKernels copies = new CopyKernels(dnnl);
  private final CpuMath math = new CpuMath();
  private final CpuVision vision = new CpuVision(dnnl);

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return CpuInfo.description();
  }

  @Override
  public Map<String, String> versions() {
    return CpuInfo.versions();
  }

  @Override
  public Layout activationLayout() {
    return Layout.CHANNELS_LAST;
  }

  @Override
  public Arena newArena() {
    CpuArena a = new CpuArena(arenas::remove);
    arenas.add(a);
    return a;
  }

  @Override
  public HostBuffer hostBuffer(long bytes) {
    return new CpuHostBuffer(bytes);
  }

  @Override
  public void upload(HostBuffer src, Tensor dst) {
    HostCopies.upload(src.bytes(), dst);
  }

  @Override
  public void upload(float[] src, Tensor dst) {
    HostCopies.upload(src, dst);
  }

  @Override
  public void upload(int[] src, Tensor dst) {
    HostCopies.upload(src, dst);
  }

  @Override
  public float[] downloadFloats(Tensor src) {
    return HostCopies.floats(src);
  }

  @Override
  public double[] downloadDoubles(Tensor src) {
    return HostCopies.doubles(src);
  }

  @Override
  public void synchronize() {}

  @Override
  public Kernel sequence(List<Kernel> kernels, Arena arena) {
    return Kernel.each(kernels);
  }

  @Override
  public VisionKernels vision() {
    return vision;
  }

  @Override
  public double time(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e6;
  }

  @Override
  public KernelTimes timeEach(Kernel ahead, List<Kernel> kernels) {
    ahead.launch();
    double[] out = new double[kernels.size()];
    long before = System.nanoTime();
    for (int i = 0; i < out.length; i++) {
      kernels.get(i).launch();
      long now = System.nanoTime();
      out[i] = (now - before) / 1e6;
      before = now;
    }
    return new KernelTimes(out, true);
  }

  @Override
  public Kernel convolution(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    return convolutions.forward(spec, x, w, epilogue, y, frozen);
  }

  @Override
  public Kernel convolutionBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    return convolutions.backwardData(spec, dy, w, dx);
  }

  @Override
  public Kernel convolutionBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    return convolutions.backwardWeights(spec, x, dy, dw);
  }

  @Override
  public Kernel biasBackward(Tensor dy, Tensor db) {
    return linears.biasBackward(dy, db);
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
        arena);
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
    return pools.inference(spec, x, y);
  }

  @Override
  public TrainingKernels poolTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    return pools.training(spec, x, y, dy, dx, arena);
  }

  @Override
  public Kernel add(Tensor a, Tensor b, Activation activation, Tensor y) {
    return pointwise.add(a, b, activation, y);
  }

  @Override
  public Kernel concat(List<Tensor> inputs, Tensor y) {
    return copies.concat(inputs, y);
  }

  @Override
  public Kernel sliceChannels(Tensor x, long from, Tensor y) {
    return copies.sliceChannels(x, from, y);
  }

  @Override
  public Kernel shortcut(Tensor x, int stride, long before, Tensor y) {
    return copies.shortcut(x, stride, before, y);
  }

  @Override
  public Kernel shortcutBackward(Tensor dy, int stride, long before, Tensor dx) {
    return copies.shortcutBackward(dy, stride, before, dx);
  }

  @Override
  public Kernel linear(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    return linears.forward(x, w, epilogue, y);
  }

  @Override
  public Kernel linearBackwardData(Tensor dy, Tensor w, Tensor dx) {
    return linears.backwardData(dy, w, dx);
  }

  @Override
  public Kernel linearBackwardWeights(Tensor x, Tensor dy, Tensor dw) {
    return linears.backwardWeights(x, dy, dw);
  }

  @Override
  public Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    return math.crossEntropy(logits, labels, smoothing, metrics, dlogits);
  }

  @Override
  public Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    return math.imageInput(pixels, crops, padding, scale, shift, y);
  }

  @Override
  public Kernel copy(Tensor src, Tensor dst) {
    return copies.copy(src, dst);
  }

  @Override
  public Kernel fill(Tensor x, double value) {
    return math.fill(x, value);
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
    return math.sgd(p, grad, velocity, lr, momentum, nesterov, weightDecay);
  }

  @Override
  public Kernel gather(Tensor x, int axis, Tensor indices, Tensor y) {
    return math.gather(x, axis, indices, y);
  }

  @Override
  public Kernel poolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column) {
    return math.poolFeatures(kind, x, features, column);
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
    return math.gemm(transposeA, transposeB, alpha, a, b, beta, c);
  }

  @Override
  public Kernel syrk(double alpha, Tensor a, double beta, Tensor c) {
    return math.syrk(alpha, a, beta, c);
  }

  @Override
  public Kernel accumulate(Tensor src, Tensor dst) {
    return math.accumulate(src, dst);
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
    return new CpuFeatureSums(featureScratch, x, labels, shift, out, sums, counts, squares);
  }

  @Override
  public Kernel eigenSymmetric(Tensor a, Tensor eigenvalues) {
    return math.eigenSymmetric(a, eigenvalues);
  }

  @Override
  public Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    return math.standardize(m, sumI, sumJ, n, factorI, factorJ, out);
  }

  @Override
  public Kernel inverseDeviation(Tensor squares, Tensor sum, Tensor n, Tensor factor) {
    return math.inverseDeviation(squares, sum, n, factor);
  }

  @Override
  public Kernel multiply(Tensor a, Tensor b, Tensor out) {
    return math.multiply(a, b, out);
  }

  @Override
  public Kernel scaleByPower(Tensor x, Tensor scalar, double exponent) {
    return math.scaleByPower(x, scalar, exponent);
  }

  @Override
  public Kernel vip(Tensor w, Tensor s, Tensor vip) {
    return math.vip(w, s, vip);
  }

  @Override
  public void close() {
    Set.copyOf(arenas).forEach(CpuArena::close);
    dnnl.close();
  }
}
