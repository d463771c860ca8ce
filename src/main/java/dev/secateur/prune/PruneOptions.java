package dev.secateur.prune;

import dev.secateur.nn.Pooling;
import dev.secateur.train.TrainingOptions;
import java.util.List;
import java.util.Optional;

/**
 * How a run prunes. It ends at the first rule that holds.
 *
 * @param scope which filters may go
 * @param groupScore how the scores of filters that go together become one
 * @param constraints what every selection respects; its rates refer to the original network
 * @param rate part of the remaining prunable filters that goes in each iteration; empty: one
 *     iteration removes as many as reach the targets
 * @param iterations at most so many
 * @param targets end once all are reached; empty: no such rule
 * @param maxDrop end once the held-out top-1 is more than so many points below the original's; the
 *     last iteration that is not becomes the result
 * @param holdOut part of the training images that decides, unseen by scoring and fine-tuning
 * @param criterion what says which filters go
 * @param pooling how a filter becomes one number
 * @param samples training images to score on
 * @param scoringBatch images at once while scoring and evaluating
 * @param fineTuning after each iteration; empty for none. Each iteration's seed is its seed plus
 *     the iteration
 * @param seed of the hold-out
 * @param latency end once it is reached, and choose by a knapsack of scores against time; the rate
 *     is then the part of the network's time that each iteration saves
 */
public record PruneOptions(
    Scope scope,
    GroupScore groupScore,
    Constraints constraints,
    Optional<Double> rate,
    int iterations,
    List<Target> targets,
    Optional<Double> maxDrop,
    double holdOut,
    Criterion criterion,
    Pooling pooling,
    int samples,
    int scoringBatch,
    Optional<TrainingOptions> fineTuning,
    long seed,
    Optional<LatencyGoal> latency) {

  /** Without a goal for the latency. */
  public PruneOptions(
      Scope scope,
      GroupScore groupScore,
      Constraints constraints,
      Optional<Double> rate,
      int iterations,
      List<Target> targets,
      Optional<Double> maxDrop,
      double holdOut,
      Criterion criterion,
      Pooling pooling,
      int samples,
      int scoringBatch,
      Optional<TrainingOptions> fineTuning,
      long seed) {
    this(
        scope,
        groupScore,
        constraints,
        rate,
        iterations,
        targets,
        maxDrop,
        holdOut,
        criterion,
        pooling,
        samples,
        scoringBatch,
        fineTuning,
        seed,
        Optional.empty());
  }

  /** The same with a goal for the latency. */
  public PruneOptions with(LatencyGoal goal) {
    return new PruneOptions(
        scope,
        groupScore,
        constraints,
        rate,
        iterations,
        targets,
        maxDrop,
        holdOut,
        criterion,
        pooling,
        samples,
        scoringBatch,
        fineTuning,
        seed,
        Optional.of(goal));
  }
}
