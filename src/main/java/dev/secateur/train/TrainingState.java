package dev.secateur.train;

import dev.secateur.tensor.HostTensor;
import java.util.List;
import java.util.Map;

/**
 * Where a training is, between two steps: with the same options and data it goes on from here and
 * ends as if it had never stopped. Order and augmentation of images depend on the seed, the epoch
 * and the place in it only, so that no random generator has a state.
 *
 * @param epoch the one that it is in, from 0 on
 * @param done images of the epoch that have been trained on
 * @param metrics sums over these: loss, top-1 hits, top-5 hits, rows
 * @param seconds that the epoch has taken
 * @param epochs those that are over
 * @param tensors parameters, the optimiser's state and what else a step changes, by name
 */
public record TrainingState(
    int epoch,
    int done,
    double[] metrics,
    double seconds,
    List<EpochMetrics> epochs,
    Map<String, HostTensor> tensors) {}
