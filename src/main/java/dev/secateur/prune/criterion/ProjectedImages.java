package dev.secateur.prune.criterion;

/**
 * Images as points in the plane of two components that a criterion found.
 *
 * @param labels class by image
 * @param first score on the first component by image
 * @param second likewise on the second
 */
public record ProjectedImages(int[] labels, float[] first, float[] second) {}
