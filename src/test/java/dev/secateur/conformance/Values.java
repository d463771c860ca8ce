package dev.secateur.conformance;

import java.util.SplittableRandom;

/** Draws inputs that floats hold exactly, so that device and reference see the same numbers. */
final class Values {
  private final SplittableRandom random;

  Values(long seed) {
    random = new SplittableRandom(seed);
  }

  /** In [-1, 1]. */
  double[] uniform(long n) {
    return uniform(n, -1, 1);
  }

  double[] uniform(long n, double from, double to) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) random.nextDouble(from, to);
    }
    return out;
  }

  /** In [-3, 9], at least 0.05 away from the kinks of ReLU and ReLU6. */
  double[] awayFromKinks(long n) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      do {
        out[i] = (float) random.nextDouble(-3, 9);
      } while (Math.abs(out[i]) < 0.05 || Math.abs(out[i] - 6) < 0.05);
    }
    return out;
  }

  /** A permutation of an even grid of step 1/64 around {@code centre}: no two are near. */
  double[] distinct(long n, double centre) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      int j = random.nextInt(i + 1);
      out[i] = out[j];
      out[j] = centre + (i - out.length / 2) / 64.0;
    }
    return out;
  }

  /** In [from, to). */
  int[] ints(int n, int from, int to) {
    return random.ints(n, from, to).toArray();
  }

  byte[] bytes(long n) {
    byte[] out = new byte[(int) n];
    random.nextBytes(out);
    return out;
  }
}
