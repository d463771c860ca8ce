package dev.secateur.train;

import java.util.List;
import java.util.Map;

/** Told how far a long task has come. */
public interface ProgressListener {
  /** A phase of {@code total} steps begins. */
  void start(String phase, long total);

  /** {@code done} steps are over; values such as loss and accuracy. */
  void step(long done, Map<String, Double> values);

  void finish();

  /**
   * A phase that is an epoch of training begins.
   *
   * @param number from 1 on
   * @param of all epochs of this training
   * @param images in an epoch
   */
  default void epoch(int number, int of, long images) {
    start("epoch " + number + "/" + of, images);
  }

  /**
   * An epoch is over.
   *
   * @param epochs of this training up to now, the last one last
   */
  default void epochDone(List<EpochMetrics> epochs) {}

  /** Tells nobody. */
  static ProgressListener none() {
    return new Forwarding(null);
  }

  /** Hands everything on to another listener, or to nobody. */
  class Forwarding implements ProgressListener {
    private final ProgressListener to;

    /**
     * @param to null for nobody
     */
    public Forwarding(ProgressListener to) {
      this.to = to;
    }

    @Override
    public void start(String phase, long total) {
      if (to != null) {
        to.start(phase, total);
      }
    }

    @Override
    public void epoch(int number, int of, long images) {
      if (to != null) {
        to.epoch(number, of, images);
      }
    }

    @Override
    public void epochDone(List<EpochMetrics> epochs) {
      if (to != null) {
        to.epochDone(epochs);
      }
    }

    @Override
    public void step(long done, Map<String, Double> values) {
      if (to != null) {
        to.step(done, values);
      }
    }

    @Override
    public void finish() {
      if (to != null) {
        to.finish();
      }
    }
  }
}
