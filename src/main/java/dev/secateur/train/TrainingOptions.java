package dev.secateur.train;

import dev.secateur.nn.Learning;
import dev.secateur.nn.Penalty;

/**
 * How a network is trained.
 *
 * @param batch images a step; a last incomplete batch is left out
 * @param epochs passes over the images
 * @param evaluateEvery epochs between two evaluations on held-out images, where there are any; the
 *     last epoch is evaluated always
 * @param keepBest the result is the network after the epoch that is best on them, not the last
 */
public record TrainingOptions(
    int batch,
    int epochs,
    Schedule schedule,
    Learning learning,
    Augmentation augmentation,
    int evaluateEvery,
    boolean keepBest,
    long seed) {

  /** The same with a penalty on parameters. */
  public TrainingOptions with(Penalty penalty) {
    return new TrainingOptions(
        batch,
        epochs,
        schedule,
        learning.with(penalty),
        augmentation,
        evaluateEvery,
        keepBest,
        seed);
  }
}
