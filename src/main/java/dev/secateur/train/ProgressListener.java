package dev.secateur.train;

import java.util.Map;

/** Told how far a long task has come. */
public interface ProgressListener {
  /** A phase of {@code total} steps begins. */
  void start(String phase, long total);

  /** {@code done} steps are over; values such as loss and accuracy. */
  void step(long done, Map<String, Double> values);

  void finish();

  /** Tells nobody. */
  static ProgressListener none() {
    return new ProgressListener() {
      @Override
      public void start(String phase, long total) {}

      @Override
      public void step(long done, Map<String, Double> values) {}

      @Override
      public void finish() {}
    };
  }
}
