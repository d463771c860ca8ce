/**
 * Pruning to a latency: measured milliseconds of single steps ({@link
 * dev.secateur.prune.latency.LatencyLookupTable}), a network's time as their sum ({@link
 * dev.secateur.prune.latency.LatencyModel}), and the choice of filters as a knapsack of importance
 * against milliseconds ({@link dev.secateur.prune.latency.LatencySelection}).
 *
 * <p>May import what prune may, and prune. Begin with {@link
 * dev.secateur.prune.latency.LatencySelector}, which is what a run with a latency to reach selects
 * by.
 */
package dev.secateur.prune.latency;
