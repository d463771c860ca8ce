package dev.secateur.prune;

import java.util.Map;

/**
 * How much each filter matters.
 *
 * @param criterion the name of what gave the scores
 * @param byFilter by convolution in the graph's order, one score a filter
 */
public record Scores(String criterion, Map<String, float[]> byFilter) {}
