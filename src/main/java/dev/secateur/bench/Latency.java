package dev.secateur.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleSupplier;

/** Milliseconds a batch of several contenders, measured in turn in one run. */
public final class Latency {
  private static final int WINDOW = 7;
  private static final double STEADY = 0.05;
  private static final long MOST_NANOS = 5_000_000_000L;

  /** Timed batches in a row; before them one that does not count wakes the engine's threads. */
  private static final int IN_A_ROW = 5;

  private Latency() {}

  /**
   * One contender's times.
   *
   * @param milliseconds a batch, in the order of measurement
   */
  public record Timing(double[] milliseconds) {
    public double median() {
      return quantile(0.5);
    }

    /** By nearest rank. */
    public double quantile(double q) {
      double[] sorted = milliseconds.clone();
      Arrays.sort(sorted);
      return sorted[(int) Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    }

    /**
     * The median and its 95 % interval: the order statistics n/2 -+ 0.98 sqrt(n), which hold
     * whatever the distribution is.
     */
    public Interval interval() {
      double[] sorted = milliseconds.clone();
      Arrays.sort(sorted);
      double half = 0.98 * Math.sqrt(sorted.length);
      int low = (int) Math.max(0, Math.floor(sorted.length / 2.0 - half));
      int high = (int) Math.min(sorted.length - 1, Math.ceil(sorted.length / 2.0 + half));
      return new Interval(median(), sorted[low], sorted[high]);
    }

    /** How many times faster than the other, batch by batch: median and its 95 % interval. */
    public Interval speedup(Timing base) {
      double[] ratios = new double[milliseconds.length];
      for (int i = 0; i < ratios.length; i++) {
        ratios[i] = base.milliseconds[i] / milliseconds[i];
      }
      return new Timing(ratios).interval();
    }
  }

  /**
   * Warms each contender up until its times are steady (at least {@code
   * -Dsecateur.bench.warmup=300} milliseconds; 0: not at all), then lets them take turns, a few
   * batches each, so that what disturbs the machine disturbs all of them.
   *
   * @param runs timed batches of each
   */
  public static List<Timing> measure(List<Contender> contenders, int runs) {
    contenders.forEach(c -> warmUp(c::run));
    double[][] all = new double[contenders.size()][runs];
    for (int run = 0; run < runs; run += IN_A_ROW) {
      for (int i = 0; i < all.length; i++) {
        contenders.get(i).run();
        for (int j = run; j < Math.min(runs, run + IN_A_ROW); j++) {
          all[i][j] = contenders.get(i).run();
        }
      }
    }
    return Arrays.stream(all).map(Timing::new).toList();
  }

  /** Until the medians of two windows in a row agree. */
  static void warmUp(DoubleSupplier run) {
    long leastNanos = Long.getLong("secateur.bench.warmup", 300) * 1_000_000;
    long start = System.nanoTime();
    List<Double> times = new ArrayList<>();
    boolean steady = leastNanos == 0;
    while (!steady && System.nanoTime() - start < MOST_NANOS) {
      times.add(run.getAsDouble());
      int n = times.size();
      if (n >= 2 * WINDOW && System.nanoTime() - start > leastNanos) {
        double late = median(times.subList(n - WINDOW, n));
        double early = median(times.subList(n - 2 * WINDOW, n - WINDOW));
        steady = Math.abs(late - early) < STEADY * early;
      }
    }
  }

  private static double median(List<Double> values) {
    return new Timing(values.stream().mapToDouble(v -> v).toArray()).median();
  }
}
