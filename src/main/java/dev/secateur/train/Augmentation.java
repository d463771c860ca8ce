package dev.secateur.train;

import java.nio.ByteBuffer;
import java.util.SplittableRandom;

/**
 * Random crop with zero padding and horizontal flip: the usual augmentation of CIFAR.
 *
 * @param padding zero pixels on each side; 0 for no crop
 * @param flip mirror half of the images
 */
public record Augmentation(int padding, boolean flip) {
  public static final Augmentation NONE = new Augmentation(0, false);

  /** Writes one image's row, column and flip (I32) at {@code at}. */
  void draw(SplittableRandom random, ByteBuffer crops, int at) {
    crops.putInt(at, padding == 0 ? 0 : random.nextInt(2 * padding + 1));
    crops.putInt(at + 4, padding == 0 ? 0 : random.nextInt(2 * padding + 1));
    crops.putInt(at + 8, flip && random.nextBoolean() ? 1 : 0);
  }
}
