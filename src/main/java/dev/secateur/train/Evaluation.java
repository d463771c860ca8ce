package dev.secateur.train;

/**
 * What a network is worth on a data set.
 *
 * @param loss mean cross-entropy; of pairs 1 minus the area under the ROC curve
 * @param top1 per cent of images whose best class is right; of pairs the accuracy of a {@link
 *     Verification} by cosine similarity
 * @param top5 per cent of images whose class is among the best five; of pairs 100, as there are two
 *     answers
 */
public record Evaluation(
    double loss, double top1, double top5, long images, double imagesPerSecond) {
  /** Of no image: nothing is known. */
  public static final Evaluation NONE =
      new Evaluation(Double.NaN, Double.NaN, Double.NaN, 0, Double.NaN);
}
