package dev.secateur.prune.latency;

import dev.secateur.nn.Model;

/** Times two networks in turn. */
@FunctionalInterface
public interface Stopwatch {
  Measured time(Model original, Model pruned);
}
