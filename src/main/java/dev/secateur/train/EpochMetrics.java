package dev.secateur.train;

/** One epoch's mean loss and top-1 (per cent) on the augmented training images as they came. */
public record EpochMetrics(
    int epoch, double loss, double top1, double learningRate, double imagesPerSecond) {}
