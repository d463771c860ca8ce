package dev.secateur.prune;

import dev.secateur.device.PoolSpec;
import dev.secateur.train.TrainingOptions;
import java.util.Optional;

/**
 * How a run prunes. It ends at the first rule that holds.
 *
 * @param rate part of the remaining prunable filters that goes in each iteration
 * @param iterations at most so many
 * @param targetMacs end once the MACs are at most this part of the original's
 * @param maxDrop end once the held-out top-1 is more than so many points below the original's; the
 *     last iteration that is not becomes the result
 * @param holdOut part of the training images that decides, unseen by scoring and fine-tuning
 * @param criterion what says which filters go
 * @param pool how a channel becomes one number
 * @param samples training images to score on
 * @param scoringBatch images at once while scoring and evaluating
 * @param fineTuning after each iteration; empty for none. Each iteration's seed is its seed plus
 *     the iteration
 * @param seed of the hold-out
 */
public record PruneOptions(
    double rate,
    int iterations,
    Optional<Double> targetMacs,
    Optional<Double> maxDrop,
    double holdOut,
    Criterion criterion,
    PoolSpec.Kind pool,
    int samples,
    int scoringBatch,
    Optional<TrainingOptions> fineTuning,
    long seed) {}
