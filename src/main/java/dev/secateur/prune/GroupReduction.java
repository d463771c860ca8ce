package dev.secateur.prune;

import java.util.Locale;

/** How the importance of a channel group's filters becomes one. */
public enum GroupReduction {
  MEAN,
  MAX,
  SUM;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  double of(float[] scores) {
    double sum = 0;
    double max = Double.NEGATIVE_INFINITY;
    for (float s : scores) {
      sum += s;
      max = Math.max(max, s);
    }
    return switch (this) {
      case MEAN -> sum / scores.length;
      case MAX -> max;
      case SUM -> sum;
    };
  }
}
