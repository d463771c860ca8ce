package dev.secateur.prune.latency;

/**
 * A pruned network's time beside the original's.
 *
 * @param ratio median of the pruned network's time by the original's, turn by turn
 * @param low95 lower end of its 95 % interval
 * @param high95 upper end
 * @param milliseconds of the pruned network, median
 */
public record Measured(double ratio, double low95, double high95, double milliseconds) {}
