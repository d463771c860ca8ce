package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Batch norm, layer norm and softmax: what is relative to a mean or a sum. Vectors are F32 (C). */
public interface Norms extends Operations {

  /**
   * What batch norm is once its statistics are fixed: y = activation(x scale + shift + residual),
   * per channel.
   *
   * @param x (N,C,H,W), as y and the residual
   */
  record Affine(
      Tensor x,
      Tensor scale,
      Tensor shift,
      Optional<Tensor> residual,
      Activation activation,
      Tensor y) {}

  /** {@link Affine}. */
  default Kernel affine(Affine a) {
    check(a);
    return compileAffine(a);
  }

  Kernel compileAffine(Affine a);

  /** {@link Affine}, and {@link Reductions#poolFeatures} of its x in the same pass if it can be. */
  default Kernel affineWithFeatures(
      Affine a, PoolSpec.Kind kind, long channels, Tensor features, long column) {
    check(a);
    Reductions.check(contract(), kind, a.x(), channels, features, column);
    return compileAffineWithFeatures(a, kind, channels, features, column);
  }

  Kernel compileAffineWithFeatures(
      Affine a, PoolSpec.Kind kind, long channels, Tensor features, long column);

  /** {@link Folding}. */
  default Kernel fold(Folding f) {
    f.check(contract());
    return compileFold(f);
  }

  Kernel compileFold(Folding f);

  private void check(Affine a) {
    contract().image("x", a.x());
    contract().alike("x and y", a.x(), a.y());
    a.residual().ifPresent(r -> contract().alike("x and residual", a.x(), r));
    vectors(a.x(), a.scale(), a.shift());
  }

  /**
   * Batch norm with batch statistics, optionally fused with ReLU. Forward updates running = (1 -
   * momentum) running + momentum batch, the variance unbiased, as PyTorch does. Backward writes dx,
   * dgamma, dbeta. The hidden state lies in {@code arena}.
   */
  default TrainingKernels batchNormTraining(BatchNormTraining n, Arena arena) {
    contract().image("x", n.x());
    contract().alike("x and y", n.x(), n.y());
    contract().alike("x and dy", n.x(), n.dy());
    contract().alike("x and dx", n.x(), n.dx());
    vectors(n.x(), n.gamma(), n.beta(), n.runningMean(), n.runningVariance());
    vectors(n.x(), n.dgamma(), n.dbeta());
    that(n.rows() > 1, "batch norm needs more than one value per channel", n.x());
    return compileBatchNormTraining(n, arena);
  }

  TrainingKernels compileBatchNormTraining(BatchNormTraining n, Arena arena);

  /**
   * y = (x - mean) / sqrt(variance + eps) gamma + beta, with the mean and biased variance over the
   * channels of each position of (N,C,H,W) or (N,C).
   */
  default Kernel layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    contract().channels("x", x);
    contract().alike("x and y", x, y);
    vectors(x, gamma, beta);
    return compileLayerNorm(x, gamma, beta, eps, y);
  }

  Kernel compileLayerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y);

  /** {@link #layerNorm} and its gradients dx, dgamma, dbeta. Hidden state lies in the arena. */
  default TrainingKernels layerNormTraining(LayerNormTraining n, Arena arena) {
    contract().channels("x", n.x());
    contract().alike("x and y", n.x(), n.y());
    contract().alike("x and dy", n.x(), n.dy());
    contract().alike("x and dx", n.x(), n.dx());
    vectors(n.x(), n.gamma(), n.beta(), n.dgamma(), n.dbeta());
    return compileLayerNormTraining(n, arena);
  }

  TrainingKernels compileLayerNormTraining(LayerNormTraining n, Arena arena);

  /** Softmax over the channels of each position of (N,C,H,W) or (N,C). */
  default Kernel softmax(Tensor x, Tensor y) {
    contract().channels("x", x);
    contract().alike("x and y", x, y);
    return compileSoftmax(x, y);
  }

  Kernel compileSoftmax(Tensor x, Tensor y);

  /** dx = y (dy - Σ over channels of dy y), from the result of {@link #softmax}. */
  default Kernel softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    contract().channels("y", y);
    contract().alike("y and dy", y, dy);
    contract().alike("y and dx", y, dx);
    return compileSoftmaxBackward(y, dy, dx);
  }

  Kernel compileSoftmaxBackward(Tensor y, Tensor dy, Tensor dx);

  private static void vectors(Tensor x, Tensor... all) {
    for (Tensor v : all) {
      Contract.vector("a parameter of the norm", v, DType.F32, x.shape().dim(1));
    }
  }
}
