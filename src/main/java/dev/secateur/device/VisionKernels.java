package dev.secateur.device;

import dev.secateur.tensor.Tensor;

/**
 * A device's layers for networks beyond plain chains of convolutions: functions of one number,
 * gates, choices of channels, resampling. The conventions are those of {@link Device}: tensors are
 * activations (N,C,H,W) in the device's type and layout, or (N,C) PLAIN where that is said, all of
 * one type; vectors are F32, PLAIN; factory methods throw {@link IllegalArgumentException} when
 * shapes do not fit.
 */
public interface VisionKernels {

  /** y = f(x), of any shape; y may be x. */
  Kernel elementwise(ElementwiseSpec spec, Tensor x, Tensor y);

  /** dx = dy f'(x), of any shape; dx may be dy. At a kink the slope is that of one of its sides. */
  Kernel elementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx);

  /** Softmax over the channels of each position of (N,C,H,W) or (N,C). */
  Kernel softmax(Tensor x, Tensor y);

  /** dx = y (dy - Σ over channels of dy y), from the result of {@link #softmax}. */
  Kernel softmaxBackward(Tensor y, Tensor dy, Tensor dx);

  /**
   * y = (x - mean) / sqrt(variance + eps) gamma + beta, with the mean and biased variance over the
   * channels of each position of (N,C,H,W) or (N,C); gamma and beta (C).
   */
  Kernel layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y);

  /** {@link #layerNorm} and its gradients dx, dgamma, dbeta. Hidden state lies in the arena. */
  TrainingKernels layerNormTraining(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      float eps,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena);

  /**
   * y = a b: of equal shapes (any), or a and y (N,C,H,W) and b a factor a channel (N,C,1,1). y may
   * be a.
   */
  Kernel multiply(Tensor a, Tensor b, Tensor y);

  /**
   * y[n,c] = Σ over height and width of a b: the gradient of {@link #multiply} by its factor.
   *
   * @param y (N,C,1,1)
   */
  Kernel channelProducts(Tensor a, Tensor b, Tensor y);

  /**
   * y[:, j] = x[:, channels[j]] of (N,C,H,W) or (N,C), 0 where the index is no channel of x.
   *
   * @param channels I32 (channels of y), in any order, repeats allowed; read at the launch
   */
  Kernel selectChannels(Tensor x, Tensor channels, Tensor y);

  /**
   * y[:, :, h, w] = x[:, :, h - top, w - left], {@code value} where that lies outside of x. The
   * backward is a pad of dy by (-top, -left) with zeros.
   */
  Kernel pad(Tensor x, int top, int left, float value, Tensor y);

  /** Resampling; the extents of y are the specification's. */
  Kernel resize(ResizeSpec spec, Tensor x, Tensor y);

  /** The gradient of {@link #resize}: its transpose. */
  Kernel resizeBackward(ResizeSpec spec, Tensor dy, Tensor dx);

  /** y = activation(y + bias), the bias (C) of y's type per channel of (N,C,H,W); in place. */
  Kernel addBias(Tensor bias, Activation activation, Tensor y);
}
