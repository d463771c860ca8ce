package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** What learning adds to layers: the loss and the step. */
public interface Training extends Operations {

  /**
   * Softmax cross-entropy of logits F32 (N,K) with labels I32 (N); a label below 0 marks a row that
   * does not count (padding of the last batch). Labels are below K: who uploads them sees to that.
   *
   * @param smoothing target is (1 - smoothing) one-hot + smoothing / K
   * @param metrics F64 (4), added to: summed loss, top-1 hits, top-5 hits, rows counted
   * @param dlogits F32 (N,K), if present: the gradient of the mean loss over the rows that count
   */
  default Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    Contract.plain("logits", logits, DType.F32, 2);
    Contract.vector("labels", labels, DType.I32, logits.shape().dim(0));
    Contract.vector("metrics", metrics, DType.F64, 4);
    that(smoothing >= 0 && smoothing < 1, "smoothing must be in [0, 1)", smoothing);
    dlogits.ifPresent(
        d -> {
          Contract.plain("dlogits", d, DType.F32, 2);
          Contract.sameShape("logits and dlogits", logits, d);
        });
    return compileCrossEntropy(logits, labels, smoothing, metrics, dlogits);
  }

  Kernel compileCrossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits);

  /**
   * One step of SGD as PyTorch defines it: g = grad + weightDecay p; v = momentum v + g; p -= lr (g
   * + momentum v if nesterov, else v). Elements from {@link SgdSpec#decayed} on do not decay: they
   * are PyTorch's second parameter group. F32 tensors of equal shape and layout; lr is F32 (1) on
   * the device.
   */
  default Kernel sgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec) {
    checkSgd(p, grad, velocity, lr);
    return compileSgd(p, grad, velocity, lr, spec);
  }

  Kernel compileSgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec);

  /** What {@link #sgd} and {@link MixedPrecision#sgd} demand. */
  static void checkSgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr) {
    Contract.type("p", p, DType.F32);
    Contract.type("grad", grad, DType.F32);
    Contract.type("velocity", velocity, DType.F32);
    Contract.sameShape("p and grad", p, grad);
    Contract.sameShape("p and velocity", p, velocity);
    Contract.sameLayout("p and grad", p, grad);
    Contract.sameLayout("p and velocity", p, velocity);
    Contract.elements("lr", lr, DType.F32, 1);
  }
}
