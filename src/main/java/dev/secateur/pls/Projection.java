package dev.secateur.pls;

/**
 * Takes features to PLS scores: t_a = Σ_j rotations[a,j] (x_j - means[j]), x as it came from the
 * network.
 *
 * @param rotations (components, features), row by row, with the scale of each feature in them
 * @param means by feature
 */
public record Projection(int components, float[] rotations, float[] means) {

  /** What to take off a score that was computed without the means. */
  public double offset(int component) {
    double sum = 0;
    for (int j = 0; j < means.length; j++) {
      sum += (double) rotations[component * means.length + j] * means[j];
    }
    return sum;
  }
}
