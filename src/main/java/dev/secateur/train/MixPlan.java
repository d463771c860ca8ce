package dev.secateur.train;

import dev.secateur.device.Moves;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.SplittableRandom;

/**
 * Draws how the images of a batch are mixed and erased. Each image's partner is the next one of the
 * batch, which is in random order; one ratio is drawn for a batch, as in the papers' code.
 */
final class MixPlan {
  /**
   * Of torchvision's RandomErasing: parts of the image's area, and the range of height by width.
   */
  private static final double LEAST_AREA = 0.02;

  private static final double MOST_AREA = 0.33;
  private static final double LEAST_RATIO = 0.3;
  private static final double MOST_RATIO = 3.3;
  private static final int TRIES = 10;

  private final Augmentation how;
  private final int height;
  private final int width;
  private final SplittableRandom random;

  MixPlan(Augmentation how, int height, int width, SplittableRandom random) {
    this.how = how;
    this.height = height;
    this.width = width;
    this.random = random;
  }

  /**
   * Writes a batch's plan as {@link dev.secateur.nn.Mixing} has it.
   *
   * @param rows that count; the others stay as they are
   */
  void draw(IntBuffer labels, int rows, int batch, IntBuffer integers, FloatBuffer floats) {
    boolean cut = how.cutmix() > 0 && (how.mixup() == 0 || random.nextBoolean());
    double alpha = cut ? how.cutmix() : how.mixup();
    double share = alpha > 0 ? beta(alpha) : 1;
    int[] box = new int[4];
    double blend = share;
    if (cut) {
      box = box(share);
      share = 1 - (double) (box[2] - box[0]) * (box[3] - box[1]) / ((double) height * width);
      blend = 1;
    }
    for (int i = 0; i < batch; i++) {
      boolean counts = i < rows;
      int partner = counts ? (i + 1) % rows : i;
      integers.put(i, Math.max(0, labels.get(partner)));
      floats.put(i, counts ? (float) share : 1);
      floats.put(batch + i, counts ? (float) blend : 1);
      int at = batch + Moves.MIX_PLAN * i;
      integers.put(at, partner);
      for (int k = 0; k < 4; k++) {
        integers.put(at + 1 + k, counts ? box[k] : 0);
      }
      int[] erased = counts && random.nextDouble() < how.erasing() ? erased() : new int[4];
      for (int k = 0; k < 4; k++) {
        integers.put(at + 5 + k, erased[k]);
      }
    }
  }

  /** A box around a random place that has 1 - share of the image where it is whole. */
  private int[] box(double share) {
    double part = Math.sqrt(1 - share);
    int h = (int) (height * part);
    int w = (int) (width * part);
    int row = random.nextInt(height);
    int column = random.nextInt(width);
    return new int[] {
      Math.max(0, row - h / 2),
      Math.max(0, column - w / 2),
      Math.min(height, row + h / 2),
      Math.min(width, column + w / 2)
    };
  }

  /** Top, left, bottom and right; empty where no try fits. */
  private int[] erased() {
    for (int i = 0; i < TRIES; i++) {
      double area = height * width * (LEAST_AREA + (MOST_AREA - LEAST_AREA) * random.nextDouble());
      double log = Math.log(LEAST_RATIO);
      double ratio = Math.exp(log + (Math.log(MOST_RATIO) - log) * random.nextDouble());
      int h = (int) Math.round(Math.sqrt(area * ratio));
      int w = (int) Math.round(Math.sqrt(area / ratio));
      if (h > 0 && w > 0 && h < height && w < width) {
        int top = random.nextInt(height - h + 1);
        int left = random.nextInt(width - w + 1);
        return new int[] {top, left, top + h, left + w};
      }
    }
    return new int[4];
  }

  /** Of Beta(alpha, alpha), by two gammas. */
  private double beta(double alpha) {
    double a = gamma(alpha);
    double b = gamma(alpha);
    return a + b > 0 ? a / (a + b) : random.nextBoolean() ? 1 : 0;
  }

  /** Of Gamma(shape, 1): Marsaglia and Tsang 2000. */
  private double gamma(double shape) {
    if (shape < 1) {
      return gamma(shape + 1) * Math.pow(random.nextDouble(), 1 / shape);
    }
    double d = shape - 1.0 / 3;
    double c = 1 / Math.sqrt(9 * d);
    while (true) {
      double x = random.nextGaussian();
      double v = Math.pow(1 + c * x, 3);
      if (v > 0 && Math.log(1 - random.nextDouble()) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
        return d * v;
      }
    }
  }
}
