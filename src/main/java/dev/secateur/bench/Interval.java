package dev.secateur.bench;

/**
 * A median and its 95 % interval.
 *
 * @param low95 lower end of the interval
 * @param high95 upper end
 */
public record Interval(double median, double low95, double high95) {}
