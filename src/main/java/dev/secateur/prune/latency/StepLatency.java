package dev.secateur.prune.latency;

import dev.secateur.nn.InferenceStep;

/** Says how long a step of inference takes, on one device at one batch. */
@FunctionalInterface
public interface StepLatency {
  /** Milliseconds; greater than 0. Equal steps give equal times. */
  double milliseconds(InferenceStep step);
}
