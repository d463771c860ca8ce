/**
 * Comparisons over many prunings: a grid of criteria, pruning ratios and seeds ({@link
 * dev.secateur.experiment.Plan}, {@link dev.secateur.experiment.Experiment}), and ways to choose
 * filters at equal measured latency ({@link dev.secateur.experiment.LatencyComparison}). Each cell
 * is a file, so both go on after a kill ({@code Cells}).
 *
 * <p>May import all but cli. Begin with {@code Experiment.run}.
 */
package dev.secateur.experiment;
