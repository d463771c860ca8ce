package dev.secateur.conformance;

import dev.secateur.tensor.DType;
import java.util.SplittableRandom;

/** Draws inputs that a type holds exactly, so that device and reference see the same numbers. */
final class Values {
  private final SplittableRandom random;
  private final DType type;

  Values(long seed) {
    this(seed, DType.F32);
  }

  /**
   * @param type of activations
   */
  Values(long seed, DType type) {
    random = new SplittableRandom(seed);
    this.type = type;
  }

  /** Normal numbers only; cut off, not rounded. */
  private double draw(double from, double to) {
    float v = (float) random.nextDouble(from, to);
    int bits = type == DType.F16 ? 13 : type == DType.BF16 ? 16 : 0;
    float cut = Float.intBitsToFloat(Float.floatToIntBits(v) >> bits << bits);
    return type == DType.F16 && Math.abs(cut) < 0x1p-14f ? 0 : cut;
  }

  /** In [-1, 1]. */
  double[] uniform(long n) {
    return uniform(n, -1, 1);
  }

  double[] uniform(long n, double from, double to) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      out[i] = draw(from, to);
    }
    return out;
  }

  /** In [-3, 9], at least 0.05 away from the kinks of ReLU and ReLU6. */
  double[] awayFromKinks(long n) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      do {
        out[i] = draw(-3, 9);
      } while (Math.abs(out[i]) < 0.05 || Math.abs(out[i] - 6) < 0.05);
    }
    return out;
  }

  /**
   * A permutation of an even grid of step 1/64 around {@code centre}: no two are near. Where 16
   * bits are too few for that, of bfloat16's neighbours around -1.
   */
  double[] distinct(long n, double centre) {
    double[] out = new double[(int) n];
    for (int i = 0; i < out.length; i++) {
      int j = random.nextInt(i + 1);
      out[i] = out[j];
      out[j] =
          type == DType.F32
              ? centre + (i - out.length / 2) / 64.0
              : -Float.intBitsToFloat(0x3f80 + i - out.length / 2 << 16);
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
