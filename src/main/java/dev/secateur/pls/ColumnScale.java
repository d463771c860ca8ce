package dev.secateur.pls;

import java.util.Optional;

/**
 * What each centred column of X is multiplied with before PLS: its standard deviation (ddof 1) to
 * the power of {@code -power}, times a factor of its own.
 *
 * @param power 1 for unit variance (autoscaling), 0.5 for Pareto scaling, 0 for none (van den Berg
 *     et al. 2006, "Centering, scaling, and transformations")
 * @param factors by column, not negative; a column with 0 takes no part
 */
public record ColumnScale(double power, Optional<float[]> factors) {
  /** As in the paper and scikit-learn. */
  public static final ColumnScale UNIT = new ColumnScale(1);

  public ColumnScale(double power) {
    this(power, Optional.empty());
  }

  /** The same with factors. */
  public ColumnScale times(float[] own) {
    return new ColumnScale(power, Optional.of(own));
  }
}
