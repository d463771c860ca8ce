package dev.secateur.device;

import dev.secateur.SecateurException;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The only interface that numerical code talks to. A device owns memory ({@link Arena}) and one
 * ordered stream of work: kernels and uploads run in the order in which they were launched, {@link
 * #download} and {@link #synchronize} wait for them, nothing else does.
 *
 * <p>Operations are compiled once for fixed tensors (see {@link Kernel}). Activations are (N, C, H,
 * W) in {@link #activationType()} and {@link #activationLayout()}, weights of convolutions in the
 * same type and in {@link #weightLayout()}, those of linear layers in the same type; other matrices
 * and vectors are PLAIN. Unless an operation says otherwise every other tensor is F32 and outputs
 * do not overlap inputs. Factory methods throw {@link IllegalArgumentException} when shapes do not
 * fit. Not thread-safe: one thread drives a device.
 */
public interface Device extends AutoCloseable {

  /** "cpu" or "cuda:N". */
  String name();

  /** The processor in words, for reports. */
  String description();

  /** Libraries in use and their versions. */
  Map<String, String> versions();

  Layout activationLayout();

  /** Type of activations, of convolution and linear weights, and of the biases beside them. */
  default DType activationType() {
    return DType.F32;
  }

  /** Layout of convolution weights. */
  default Layout weightLayout() {
    return Layout.PLAIN;
  }

  /** Present where {@link #activationType} or {@link #weightLayout} is not as parameters are. */
  default Optional<MixedPrecision> mixedPrecision() {
    return Optional.empty();
  }

  Arena newArena();

  HostBuffer hostBuffer(long bytes);

  /** Enqueues a copy of the first {@code dst.bytes()} bytes of staging memory. */
  void upload(HostBuffer src, Tensor dst);

  /**
   * Copies an array in PLAIN order into a tensor of as many elements (F32, or a 16-bit activation
   * type, rounded to the nearest); the array may change at once.
   */
  void upload(float[] src, Tensor dst);

  /** Copies an array into a tensor of as many elements (I32); the array may change at once. */
  void upload(int[] src, Tensor dst);

  /**
   * Waits for the stream and copies a tensor (F32, F64 rounded, or 16-bit widened) out in PLAIN
   * order.
   */
  float[] downloadFloats(Tensor src);

  /** Waits for the stream and copies a tensor (widened to F64) out in PLAIN order. */
  double[] downloadDoubles(Tensor src);

  void synchronize();

  /**
   * One kernel that runs all of them in order, with the results of launching each. A device may
   * prepare the whole at its second launch and enqueue it at once from then on; it then takes the
   * kernels as they are at that time.
   *
   * @param kernels of this device; what they read and write may change between launches, where it
   *     lies may not
   * @param arena holds what the device prepares; once it is closed the kernel must not be launched
   */
  Kernel sequence(List<Kernel> kernels, Arena arena);

  /** Layers of networks beyond plain chains of convolutions. */
  VisionKernels vision();

  /**
   * Milliseconds that the device spends on what {@code work} launches, between two events of its
   * own where it has them (CUDA), else on the host's clock. Waits for the work, and for earlier
   * work before it begins.
   */
  double time(Runnable work);

  /**
   * Milliseconds that the device spends on each of several kernels: they are launched once, in
   * order, with a stamp of the device's own clock (CUDA: an event) before, between and behind them.
   * Waits for them, and for earlier work before it begins.
   *
   * @param ahead launched first and not timed. On a GPU it has to take longer than the host takes
   *     to enqueue the kernels; {@link KernelTimes#gapless} says whether it did
   */
  KernelTimes timeEach(Kernel ahead, List<Kernel> kernels);

  /**
   * Bytes of scratch memory that the hungriest of the kernels made since the last call needs. All
   * kernels share one piece as large as the hungriest of all needs, so this is what a network adds
   * if it runs alone; 0 where libraries see to their own.
   */
  default long takeScratchBytes() {
    return 0;
  }

  /**
   * Begins to read the energy that the device takes.
   *
   * @throws SecateurException in one line, where nothing tells
   */
  default EnergyMeter openEnergyMeter() {
    throw new SecateurException("the " + name() + " device does not tell its energy");
  }

  // ---- layers ----------------------------------------------------------------------------------

  /**
   * y = epilogue(convolution(x, w)). x (N,C,H,W), w (K,C/g,R,S), y (N,K,P,Q).
   *
   * @param frozen the weights do not change after the first launch, so they may be packed once
   */
  Kernel convolution(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen);

  /** dx = gradient of the loss by x, from dy. */
  Kernel convolutionBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx);

  /** dw = gradient by w (overwritten, not accumulated). */
  Kernel convolutionBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw);

  /** db[k] = sum of dy over N, H, W. */
  Kernel biasBackward(Tensor dy, Tensor db);

  /** y = activation((x - mean) / sqrt(variance + eps) * gamma + beta), per channel. */
  Kernel batchNormInference(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor mean,
      Tensor variance,
      float eps,
      Activation activation,
      Tensor y);

  /**
   * Batch norm with batch statistics, optionally fused with ReLU. Forward updates running = (1 -
   * momentum) running + momentum batch, the variance unbiased, as PyTorch does. Backward writes dx,
   * dgamma, dbeta. The hidden state lies in {@code arena}.
   *
   * @param relu y = max(0, norm(x))
   */
  TrainingKernels batchNormTraining(
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
      Arena arena);

  /** y = activation(x); y may be x. Any shape. */
  Kernel activation(Activation activation, Tensor x, Tensor y);

  /** dx = dy where the activation let y through, else 0; dx may be dy. */
  Kernel activationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx);

  Kernel pool(PoolSpec spec, Tensor x, Tensor y);

  TrainingKernels poolTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena);

  /** y = activation(a + b), shapes and layouts equal; y may be a or b. */
  Kernel add(Tensor a, Tensor b, Activation activation, Tensor y);

  /** y = the inputs side by side along C. */
  Kernel concat(List<Tensor> inputs, Tensor y);

  /** y = x[:, from : from + C(y)], the backward of concat. */
  Kernel sliceChannels(Tensor x, long from, Tensor y);

  /**
   * The option-A shortcut of CIFAR ResNets: y[:, before : before + C] = x[:, :, ::stride,
   * ::stride], other channels 0.
   */
  Kernel shortcut(Tensor x, int stride, long before, Tensor y);

  /** The gradient of {@link #shortcut}: dx is overwritten. */
  Kernel shortcutBackward(Tensor dy, int stride, long before, Tensor dx);

  /**
   * y = epilogue(x wᵀ): x (N,C), w (K,C), y (N,K), all PLAIN; residual is not supported. y and the
   * bias may be F32 whatever the type of activations, as the loss needs it.
   */
  Kernel linear(Tensor x, Tensor w, Epilogue epilogue, Tensor y);

  Kernel linearBackwardData(Tensor dy, Tensor w, Tensor dx);

  /**
   * @param dw F32
   */
  Kernel linearBackwardWeights(Tensor x, Tensor dy, Tensor dw);

  /**
   * Softmax cross-entropy of logits (N,K) with labels I32 (N); a label below 0 marks a row that
   * does not count (padding of the last batch). Labels are below K: who uploads them sees to that.
   *
   * @param smoothing target is (1 - smoothing) one-hot + smoothing / K
   * @param metrics F64 (4), added to: summed loss, top-1 hits, top-5 hits, rows counted
   * @param dlogits if present, the gradient of the mean loss over the rows that count
   */
  Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits);

  /**
   * The network's input from pixels: y = (augmented x) * scale + shift.
   *
   * @param pixels U8 (N,C,H,W) PLAIN
   * @param crops I32 (N,3): row and column in [0, 2 padding] where the crop of H x W begins in the
   *     image padded with zero pixels, and 1 to flip left-right; empty for none
   * @param scale (C) or (C,H,W), applied after augmentation, position by position
   * @param y (N,C,H,W), activation layout
   */
  Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y);

  /**
   * Copies elements, converting layout and dtype (F32/F64/U8 to F32/F64, and from and to a 16-bit
   * activation type). Shapes equal.
   */
  Kernel copy(Tensor src, Tensor dst);

  Kernel fill(Tensor x, double value);

  /**
   * One step of SGD as PyTorch defines it: g = grad + weightDecay p; v = momentum v + g; p -= lr (g
   * + momentum v if nesterov, else v). Tensors of equal shape; lr is F32 (1) on the device.
   */
  Kernel sgd(
      Tensor p,
      Tensor grad,
      Tensor velocity,
      Tensor lr,
      float momentum,
      boolean nesterov,
      float weightDecay);

  // ---- pruning and PLS -------------------------------------------------------------------------

  /**
   * y = x with axis {@code axis} reduced to the listed indices (I32, ascending, below the axis'
   * length: who makes the list sees to that); PLAIN.
   */
  Kernel gather(Tensor x, int axis, Tensor indices, Tensor y);

  /**
   * features[:, column : column + C] = max or mean of x over H, W.
   *
   * @param features (N, p) PLAIN
   * @param kind MAX or AVERAGE
   */
  Kernel poolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column);

  /** C = alpha op(A) op(B) + beta C; matrices PLAIN row-major, all F32 or all F64. */
  Kernel gemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c);

  /** C = alpha AᵀA + beta C, both triangles valid; A (n,p), C (p,p); all F32 or all F64. */
  Kernel syrk(double alpha, Tensor a, double beta, Tensor c);

  /** dst += src, elementwise; src F32 or F64, dst F64. */
  Kernel accumulate(Tensor src, Tensor dst);

  /**
   * Takes in a batch of features for PLS: out[i,j] = x[i,j] - shift[j], and for the label l of each
   * row sums[l,j] += out[i,j], counts[l] += 1, squares[j] += out[i,j]². A row whose label is below
   * 0 does not count: its out is 0. Within the batch sums may be in single precision.
   *
   * @param x F32 (n,p); out likewise
   * @param labels I32 (n), below q: who uploads them sees to that
   * @param shift F32 (p)
   * @param sums F64 (q,p), counts F64 (q), squares F64 (p)
   */
  Kernel accumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares);

  /** Eigenvectors of a symmetric F64 (n,n) into its rows, eigenvalues F64 (n) ascending. */
  Kernel eigenSymmetric(Tensor a, Tensor eigenvalues);

  /**
   * Centres and scales a cross-product matrix: out[i,j] = (m[i,j] - sumI[i] sumJ[j] / n) *
   * factorI[i] * factorJ[j]; all F64; n is F64 (1) on the device. out may be m.
   */
  Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out);

  /**
   * factor[j] = 1 / standard deviation (ddof 1) from a column's sum and sum of squares, 1 where the
   * variance is 0 to rounding; F64.
   */
  Kernel inverseDeviation(Tensor squares, Tensor sum, Tensor n, Tensor factor);

  /** out = a b, elementwise; all F64; out may be a or b. */
  Kernel multiply(Tensor a, Tensor b, Tensor out);

  /** x *= scalar^exponent, scalar F64 (1) on the device; x F64. */
  Kernel scaleByPower(Tensor x, Tensor scalar, double exponent);

  /**
   * vip[j] = sqrt(p Σ_a s[a] w[a,j]² / ‖w[a]‖² / Σ_a s[a]) (paper, section 3); w F64 (c,p), s F64
   * (c), vip F32 (p).
   */
  Kernel vip(Tensor w, Tensor s, Tensor vip);

  @Override
  void close();
}
