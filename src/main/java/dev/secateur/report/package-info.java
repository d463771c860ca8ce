/**
 * What a run gained, as one self-contained page: the numbers ({@code Figures}), their plots ({@code
 * Plot}, {@code Chart}), and the page around them ({@code Page}).
 *
 * <p>May import run, bench, prune and what these may. Begin with {@link
 * dev.secateur.report.Report#write}.
 */
package dev.secateur.report;
