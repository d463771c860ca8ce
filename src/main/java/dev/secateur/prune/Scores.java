package dev.secateur.prune;

import java.util.Map;

/** VIP of every filter, by convolution in the graph's order. */
public record Scores(Map<String, float[]> vip) {}
