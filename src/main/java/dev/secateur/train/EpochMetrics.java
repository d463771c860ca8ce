package dev.secateur.train;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * One epoch's mean loss and top-1 (per cent) on the augmented training images as they came.
 *
 * @param epoch from 1 on
 * @param loss that which was minimised, with a teacher's part
 * @param learningRate at the epoch's end
 * @param seconds it took, all starts together
 * @param heldOutTop1 on held-out images, per cent, where it was measured
 * @param heldOutLoss cross-entropy on them
 */
public record EpochMetrics(
    int epoch,
    double loss,
    double top1,
    double learningRate,
    double imagesPerSecond,
    double seconds,
    Optional<Double> heldOutTop1,
    Optional<Double> heldOutLoss) {

  /** The same with what was measured on held-out images. */
  EpochMetrics with(Evaluation e) {
    return new EpochMetrics(
        epoch,
        loss,
        top1,
        learningRate,
        imagesPerSecond,
        seconds,
        Optional.of(e.top1()),
        Optional.of(e.loss()));
  }

  /** The epoch of highest held-out top-1; of several the one of lowest loss, then the first. */
  public static Optional<EpochMetrics> best(List<EpochMetrics> epochs) {
    Comparator<EpochMetrics> better =
        Comparator.comparing((EpochMetrics m) -> m.heldOutTop1.orElseThrow())
            .thenComparing(m -> -m.heldOutLoss.orElseThrow())
            .thenComparing(m -> -m.epoch);
    return epochs.stream().filter(m -> m.heldOutTop1.isPresent()).max(better);
  }
}
