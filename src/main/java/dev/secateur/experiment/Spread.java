package dev.secateur.experiment;

import java.util.Locale;
import java.util.stream.DoubleStream;

/**
 * Values over seeds.
 *
 * @param mean over all
 * @param deviation sample standard deviation (n - 1); 0 of one value
 * @param seeds how many
 */
public record Spread(double mean, double deviation, int seeds) {

  public static Spread of(double... values) {
    double mean = DoubleStream.of(values).average().orElse(0);
    double squares = DoubleStream.of(values).map(v -> (v - mean) * (v - mean)).sum();
    int n = values.length;
    return new Spread(mean, n > 1 ? Math.sqrt(squares / (n - 1)) : 0, n);
  }

  /** Standard error of the mean. */
  double error() {
    return deviation / Math.sqrt(seeds);
  }

  /** 1.23 ± 0.04, or 1.23 of one seed. */
  public String text(int digits) {
    String number = "%." + digits + "f";
    return seeds > 1
        ? String.format(Locale.ROOT, number + " ± " + number, mean, deviation)
        : String.format(Locale.ROOT, number, mean);
  }
}
