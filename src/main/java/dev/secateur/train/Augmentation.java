package dev.secateur.train;

import java.nio.ByteBuffer;
import java.util.SplittableRandom;

/**
 * How training images are changed at random: crops and mirrors, the usual augmentation of CIFAR;
 * and if asked for, mixed with others of the batch and erased in part.
 *
 * @param padding zero pixels on each side, for a random crop; 0 for no crop
 * @param flip mirror half of the images
 * @param mixup alpha of mixup (Zhang et al. 2018); 0: none
 * @param cutmix alpha of CutMix (Yun et al. 2019); 0: none. With mixup one of both is drawn for
 *     each batch
 * @param erasing probability that an image is erased in part (Zhong et al. 2020)
 */
public record Augmentation(int padding, boolean flip, double mixup, double cutmix, double erasing) {
  public static final Augmentation NONE = new Augmentation(0, false);

  /** Crops and mirrors alone. */
  public Augmentation(int padding, boolean flip) {
    this(padding, flip, 0, 0, 0);
  }

  /** Whether images are changed after they were cropped. */
  public boolean mixes() {
    return mixup > 0 || cutmix > 0 || erasing > 0;
  }

  /** Writes one image's row, column and flip (I32) at {@code at}. */
  void draw(SplittableRandom random, ByteBuffer crops, int at) {
    crops.putInt(at, padding == 0 ? 0 : random.nextInt(2 * padding + 1));
    crops.putInt(at + 4, padding == 0 ? 0 : random.nextInt(2 * padding + 1));
    crops.putInt(at + 8, flip && random.nextBoolean() ? 1 : 0);
  }
}
