package dev.secateur.run;

import dev.secateur.prune.Removal;
import dev.secateur.train.EpochMetrics;
import java.util.List;

/**
 * One iteration of a run; accuracies are top-1 in per cent on the held-out images.
 *
 * @param iteration 0 is the network as it came
 * @param filters prunable filters left
 * @param removed filters removed in this iteration, by convolution, indices before removal
 * @param dead those of them that the network could do without; none in runs before 0.2
 * @param afterPruning accuracy right after removal
 * @param accuracy accuracy after fine-tuning
 * @param loss cross-entropy after fine-tuning
 */
public record IterationMetrics(
    int iteration,
    long filters,
    long parameters,
    long macs,
    Removal removed,
    Removal dead,
    double afterPruning,
    double accuracy,
    double loss,
    List<EpochMetrics> epochs) {
  public IterationMetrics {
    dead = dead == null ? Removal.NONE : dead;
  }
}
