package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * A layer's weights as inference reads them: y = weights scale and shift = (bias - mean) scale +
 * beta with scale = gamma / sqrt(variance + eps), a number for each of the first axis; without a
 * norm y = weights and shift = bias.
 *
 * @param weights F32, PLAIN, (K), (K,C) or (K,C,R,S)
 * @param bias F32 (K), else 0
 * @param norm a batch norm behind the layer
 * @param y F32 or the type of activations, PLAIN or in the layout of convolution weights; its first
 *     two axes may be longer than those of the weights: zeros lie behind them
 * @param shift of y's type, as long as y's first axis
 */
public record Folding(
    Tensor weights, Optional<Tensor> bias, Optional<Norm> norm, Tensor y, Optional<Tensor> shift) {

  /** Its parameters and statistics, each F32 (K). */
  public record Norm(Tensor gamma, Tensor beta, Tensor mean, Tensor variance, float eps) {
    List<Tensor> vectors() {
      return List.of(gamma, beta, mean, variance);
    }
  }

  /** Of weights alone. */
  public static Folding copy(Tensor weights, Tensor y) {
    return new Folding(weights, Optional.empty(), Optional.empty(), y, Optional.empty());
  }

  /** Elements of the weights in front of which an element of the second axis lies. */
  public int positions() {
    return weights.shape().rank() == 4 ? weights.shape().size(2) * weights.shape().size(3) : 1;
  }

  /** Length of the second axis, 1 where there is none. */
  public static long second(Tensor t) {
    return t.shape().rank() == 1 ? 1 : t.shape().dim(1);
  }

  void check(Contract contract) {
    Contract.type("weights", weights, DType.F32);
    that(weights.layout() == Layout.PLAIN, "weights must be PLAIN", weights);
    boolean known = y.layout() == Layout.PLAIN || y.layout() == contract.weights();
    that(known, "y must be PLAIN or " + contract.weights(), y);
    boolean typed = y.dtype() == DType.F32 || y.dtype() == contract.type();
    that(typed, "y must be F32 or " + contract.type(), y);
    boolean fits = y.shape().rank() == weights.shape().rank();
    for (int axis = 0; fits && axis < y.shape().rank(); axis++) {
      long own = weights.shape().dim(axis);
      long has = y.shape().dim(axis);
      fits = axis < 2 ? own <= has : own == has;
    }
    that(fits, "y must hold the weights", weights, y);
    long k = weights.shape().dim(0);
    bias.ifPresent(b -> Contract.vector("bias", b, DType.F32, k));
    norm.ifPresent(
        n -> n.vectors().forEach(v -> Contract.vector("a vector of the norm", v, DType.F32, k)));
    shift.ifPresent(s -> Contract.vector("shift", s, y.dtype(), y.shape().dim(0)));
  }
}
