package dev.secateur.train;

/**
 * What a network is worth on a data set.
 *
 * @param loss mean cross-entropy
 * @param top1 per cent of images whose best class is right
 * @param top5 per cent of images whose class is among the best five
 */
public record Evaluation(
    double loss, double top1, double top5, long images, double imagesPerSecond) {}
