package dev.secateur.prune.criterion;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Pooling;
import dev.secateur.train.ProgressListener;

/**
 * What a criterion may look at.
 *
 * @param images training images; the first {@code samples} are used
 * @param batch images at once
 * @param pooling how a filter becomes one number, for criteria that work on features
 */
public record ScoringData(
    Dataset images, int samples, int batch, Pooling pooling, ProgressListener progress) {

  /** The number of images there are to look at. */
  public int size() {
    return Math.min(samples, images.size());
  }

  /** The same, but at most {@code most} images. */
  public ScoringData atMost(int most) {
    return new ScoringData(images, Math.min(samples, most), batch, pooling, progress);
  }
}
