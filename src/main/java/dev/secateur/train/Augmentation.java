package dev.secateur.train;

import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.data.Region;
import dev.secateur.data.View;
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
 * @param resizedCrop the smallest part of an image's area that is cut out and resized (Szegedy et
 *     al. 2015, torchvision's RandomResizedCrop); 0: images are resized whole
 */
public record Augmentation(
    int padding, boolean flip, double mixup, double cutmix, double erasing, double resizedCrop) {
  /** Of width by height, and how often a box is drawn that may not fit: torchvision's. */
  private static final double WIDEST = 4.0 / 3;

  private static final int ATTEMPTS = 10;

  public static final Augmentation NONE = new Augmentation(0, false);

  /** Crops and mirrors alone. */
  public Augmentation(int padding, boolean flip) {
    this(padding, flip, 0, 0, 0, 0);
  }

  /**
   * Whether a data set can be changed so.
   *
   * @throws SettingException for boxes of images that have one size
   */
  public void check(Dataset data) {
    if (resizedCrop > 0 && !data.hasViews()) {
      throw new SettingException(
          "fine-tuning.random-resized-crop",
          resizedCrop + ": images of one size have no larger ones to cut from; expected 0");
    }
  }

  /** Reads an image, or a part of it that is drawn. */
  boolean read(SplittableRandom random, Dataset data, int index, ByteBuffer dst, int offset) {
    return resizedCrop > 0
        ? data.read(index, view(random.split()), dst, offset)
        : data.read(index, dst, offset);
  }

  /**
   * A box of {@link #resizedCrop} to all of the area and a width by height from 3/4 to 4/3; where
   * none fits, the largest such in the centre.
   */
  View view(SplittableRandom random) {
    return (width, height) -> {
      for (int i = 0; i < ATTEMPTS; i++) {
        double area =
            width * (double) height * (resizedCrop + (1 - resizedCrop) * random.nextDouble());
        double ratio = Math.exp(Math.log(WIDEST) * (2 * random.nextDouble() - 1));
        int w = (int) Math.rint(Math.sqrt(area * ratio));
        int h = (int) Math.rint(Math.sqrt(area / ratio));
        if (w > 0 && w <= width && h > 0 && h <= height) {
          int top = random.nextInt(height - h + 1);
          return new Region(random.nextInt(width - w + 1), top, w, h);
        }
      }
      int w = (int) Math.min(width, Math.rint(height * WIDEST));
      int h = (int) Math.min(height, Math.rint(width * WIDEST));
      return new Region((width - w) / 2, (height - h) / 2, w, h);
    };
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
