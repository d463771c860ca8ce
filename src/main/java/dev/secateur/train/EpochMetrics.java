package dev.secateur.train;

/**
 * One epoch's mean loss and top-1 (per cent) on the augmented training images as they came.
 *
 * @param epoch from 1 on
 * @param learningRate at the epoch's end
 * @param seconds it took, all starts together
 */
public record EpochMetrics(
    int epoch,
    double loss,
    double top1,
    double learningRate,
    double imagesPerSecond,
    double seconds) {}
