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
   * @param row what is counted, image or pair
   * @param counts rows by class
   * @param least that the criterion needs
   * @throws SecateurException when there are fewer
   */
  static void rows(String criterion, String row, double[] counts, int least) {
    rows(criterion, row, (long) Arrays.stream(counts).sum(), least);
  }

  /**
   * @param row what is counted, image or pair
   * @param rows that were read
   * @param least that the criterion needs
   * @throws SecateurException when there are fewer
   */
  static void rows(String criterion, String row, long rows, int least) {
    if (rows < least) {
      throw new SecateurException(
              "criterion "
                  + criterion
                  + ": "
                  + rows
                  + " "
                  + (rows == 1 ? row : row + "s")
                  + " to score on; it needs at least "
                  + least)
          .about(SAMPLES);
    }
  }

  /**
   * For criteria that ask which features tell classes apart.
   *
   * @param row what is counted, image or pair
   * @param counts rows by class
   * @throws SecateurException for rows of fewer than two classes
   */
  static void classes(String criterion, String row, double[] counts) {
    long present = Arrays.stream(counts).filter(n -> n > 0).count();
    if (present < 2) {
      throw new SecateurException(
              "criterion "
                  + criterion
                  + ": the "
                  + row
                  + "s to score on ("
                  + (long) Arrays.stream(counts).sum()
                  + ") are of one class; it needs at least 2 classes")
          .about(SAMPLES);
    }
  }

  /**
   * For criteria on features that vary.
   *
   * @param row what is counted, image or pair
   * @param counts rows by class
   * @param byFeature how much each varies, or a score that is 0 for one that does not
   * @throws SecateurException where all are 0
   */
  static void varying(String criterion, String row, double[] counts, float[] byFeature) {
    if (!allZero(byFeature)) {
      return;
    }
    throw new SecateurException(
            "criterion "
                + criterion
                + ": no filter's output differs between the "
                + (long) Arrays.stream(counts).sum()
                + " "
                + row
                + "s to score on; it needs "
                + row
                + "s that differ")
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
