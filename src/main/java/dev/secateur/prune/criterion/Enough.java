package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import java.util.Arrays;
import java.util.Map;

/**
 * Whether images say enough to rank filters by. A criterion that asks for more than it got would
 * give all filters the same score, which looks like a result and is none.
 */
final class Enough {
  /** The setting that asks for more images. */
  private static final String SAMPLES = "scoring.samples";

  private Enough() {}

  /**
   * @param counts images by class
   * @param least that the criterion needs
   * @throws SecateurException when there are fewer
   */
  static void images(String criterion, double[] counts, int least) {
    images(criterion, (long) Arrays.stream(counts).sum(), least);
  }

  /**
   * @param images that were read
   * @param least that the criterion needs
   * @throws SecateurException when there are fewer
   */
  static void images(String criterion, long images, int least) {
    if (images < least) {
      throw new SecateurException(
              "criterion "
                  + criterion
                  + ": "
                  + images
                  + (images == 1 ? " image" : " images")
                  + " to score on; it needs at least "
                  + least)
          .about(SAMPLES);
    }
  }

  /**
   * For criteria that ask which features tell classes apart.
   *
   * @param counts images by class
   * @throws SecateurException for images of fewer than two classes
   */
  static void classes(String criterion, double[] counts) {
    long present = Arrays.stream(counts).filter(n -> n > 0).count();
    if (present < 2) {
      throw new SecateurException(
              "criterion "
                  + criterion
                  + ": the images to score on ("
                  + (long) Arrays.stream(counts).sum()
                  + ") are of one class; it needs at least 2 classes")
          .about(SAMPLES);
    }
  }

  /**
   * For criteria on features that vary.
   *
   * @param counts images by class
   * @param byFeature how much each varies, or a score that is 0 for one that does not
   * @throws SecateurException where all are 0
   */
  static void varying(String criterion, double[] counts, float[] byFeature) {
    if (!allZero(byFeature)) {
      return;
    }
    throw new SecateurException(
            "criterion "
                + criterion
                + ": no filter's output differs between the "
                + (long) Arrays.stream(counts).sum()
                + " images to score on; it needs images that differ")
        .about(SAMPLES);
  }

  /**
   * What a criterion on images found.
   *
   * @return the same scores
   * @throws SecateurException when all are zero: they rank nothing
   */
  static Map<String, float[]> scores(String criterion, Map<String, float[]> scores) {
    if (!scores.values().stream().allMatch(Enough::allZero)) {
      return scores;
    }
    throw new SecateurException(
        "criterion "
            + criterion
            + ": every filter scores 0 on these images, which ranks none; it needs filters whose"
            + " outputs are not all alike");
  }

  private static boolean allZero(float[] values) {
    for (float v : values) {
      if (v != 0) {
        return false;
      }
    }
    return true;
  }
}
