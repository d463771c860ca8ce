package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
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
    return crossEntropy(logits, labels, Targets.smoothed(smoothing), metrics, dlogits);
  }

  /** The same with other targets; the hits are those of the first labels. */
  default Kernel crossEntropy(
      Tensor logits, Tensor labels, Targets targets, Tensor metrics, Optional<Tensor> dlogits) {
    float smoothing = targets.smoothing();
    Contract.plain("logits", logits, DType.F32, 2);
    Contract.vector("labels", labels, DType.I32, logits.shape().dim(0));
    Contract.vector("metrics", metrics, DType.F64, 4);
    that(smoothing >= 0 && smoothing < 1, "smoothing must be in [0, 1)", smoothing);
    dlogits.ifPresent(
        d -> {
          Contract.plain("dlogits", d, DType.F32, 2);
          Contract.sameShape("logits and dlogits", logits, d);
        });
    targets
        .mix()
        .ifPresent(
            m -> {
              Contract.vector("second labels", m.labels(), DType.I32, logits.shape().dim(0));
              Contract.vector("shares", m.shares(), DType.F32, logits.shape().dim(0));
            });
    targets
        .teacher()
        .ifPresent(
            t -> {
              Contract.plain("teacher", t.logits(), DType.F32, 2);
              Contract.sameShape("logits and teacher", logits, t.logits());
              that(t.temperature() > 0, "temperature must be above 0", t.temperature());
              that(t.weight() >= 0 && t.weight() <= 1, "weight must be in [0, 1]", t.weight());
            });
    return compileCrossEntropy(logits, labels, targets, metrics, dlogits);
  }

  Kernel compileCrossEntropy(
      Tensor logits, Tensor labels, Targets targets, Tensor metrics, Optional<Tensor> dlogits);

  /**
   * How far outputs are from those of a reference, as numbers of no known meaning: maps, boxes,
   * embeddings. The loss of a row is the mean over parts of |x - r|² / (|r|² + 1e-12 length): what
   * each part lost of itself, whatever its scale.
   *
   * @param output F32 (N,K)
   * @param reference F32 (N,K), r
   * @param labels I32 (N); below 0 marks a row that does not count
   * @param ends I32 (P): where each part of the columns ends, ascending, the last at K: who uploads
   *     them sees to that
   * @param metrics F64 (4), added to: summed loss, twice the sum of 1 - loss where that is above 0,
   *     rows counted
   * @param gradient F32 (N,K), if present: that of the mean loss over the rows that count
   */
  default Kernel imitation(
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor ends,
      Tensor metrics,
      Optional<Tensor> gradient) {
    Contract.plain("output", output, DType.F32, 2);
    Contract.plain("reference", reference, DType.F32, 2);
    Contract.sameShape("output and reference", output, reference);
    Contract.vector("labels", labels, DType.I32, output.shape().dim(0));
    Contract.plain("ends", ends, DType.I32, 1);
    Contract.vector("metrics", metrics, DType.F64, 4);
    gradient.ifPresent(
        d -> {
          Contract.plain("gradient", d, DType.F32, 2);
          Contract.sameShape("output and gradient", output, d);
        });
    return compileImitation(output, reference, labels, ends, metrics, gradient);
  }

  Kernel compileImitation(
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor ends,
      Tensor metrics,
      Optional<Tensor> gradient);

  /**
   * average += share (x - average): a moving average, or with share 1/k a cumulative one. F32
   * tensors of equal shape and layout; share is F32 (1) on the device.
   */
  default Kernel average(Tensor average, Tensor x, Tensor share) {
    Contract.type("average", average, DType.F32);
    Contract.type("x", x, DType.F32);
    Contract.sameShape("average and x", average, x);
    Contract.sameLayout("average and x", average, x);
    Contract.elements("share", share, DType.F32, 1);
    return compileAverage(average, x, share);
  }

  Kernel compileAverage(Tensor average, Tensor x, Tensor share);

  /**
   * Adds to a gradient that of a penalty on groups of parameters, each a row of consecutive
   * elements w: with {@link GroupPenalty#LASSO} strength w / |w|, and nothing where w is zero
   * (group lasso; of rows of length 1 it is L1), with {@link GroupPenalty#RIDGE} strength w.
   * Elements of no row stay.
   *
   * @param p F32 (n) PLAIN
   * @param grad F32 (n) PLAIN, added to
   * @param rows I32 (g,2): where each begins and its length. They lie inside of p and apart from
   *     each other: who uploads them sees to that
   * @param strengths F32 (g)
   */
  default Kernel groupPenalty(
      Tensor p, Tensor grad, Tensor rows, Tensor strengths, GroupPenalty kind) {
    Contract.plain("p", p, DType.F32, 1);
    Contract.plain("grad", grad, DType.F32, 1);
    Contract.sameShape("p and grad", p, grad);
    Contract.plain("rows", rows, DType.I32, 2);
    Contract.shape("rows", rows, Shape.of(rows.shape().dim(0), 2));
    Contract.vector("strengths", strengths, DType.F32, rows.shape().dim(0));
    return compileGroupPenalty(p, grad, rows, strengths, kind);
  }

  Kernel compileGroupPenalty(
      Tensor p, Tensor grad, Tensor rows, Tensor strengths, GroupPenalty kind);

  /**
   * One step of AdamW as PyTorch defines it: p -= lr weightDecay p for elements that decay; mean =
   * beta1 mean + (1 - beta1) grad; square = beta2 square + (1 - beta2) grad²; p -= lr / (1 -
   * beta1^t) mean / (sqrt(square / (1 - beta2^t)) + eps).
   *
   * @param steps F32 (3): t, which the kernel counts up, and two numbers of its own; zero at first
   */
  default Kernel adamW(
      Tensor p, Tensor grad, Tensor mean, Tensor square, Tensor lr, Tensor steps, AdamSpec spec) {
    checkAdamW(p, grad, mean, square, lr, steps);
    return compileAdamW(p, grad, mean, square, lr, steps, spec);
  }

  Kernel compileAdamW(
      Tensor p, Tensor grad, Tensor mean, Tensor square, Tensor lr, Tensor steps, AdamSpec spec);

  /** What {@link #adamW} and {@link MixedPrecision#adamW} demand. */
  static void checkAdamW(
      Tensor p, Tensor grad, Tensor mean, Tensor square, Tensor lr, Tensor steps) {
    checkSgd(p, grad, mean, lr);
    checkSgd(p, grad, square, lr);
    Contract.elements("steps", steps, DType.F32, 3);
  }

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
