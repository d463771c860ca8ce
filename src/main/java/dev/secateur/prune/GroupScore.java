package dev.secateur.prune;

/** How the scores of a unit's filters become one. */
public enum GroupScore {
  MEAN,
  MAX,
  SUM;

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
