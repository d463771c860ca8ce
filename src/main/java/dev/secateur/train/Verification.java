package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * How well a network's output, taken as the embedding of an image, tells pairs of images that are
 * the same from pairs that differ.
 *
 * @param accuracy per cent of pairs that are told right with the threshold
 * @param threshold the one of highest accuracy on these very pairs, of several the one that takes
 *     the fewest for the same: a pair is the same where its cosine similarity is at least this, or
 *     its Euclidean distance at most
 * @param auc area under the ROC curve: the part of pairs of a same and a differing pair where the
 *     same one is nearer, ties counted half; 0 to 1
 * @param pairs whose images could be read
 */
public record Verification(
    Distance distance,
    double accuracy,
    double threshold,
    double auc,
    long pairs,
    double imagesPerSecond) {

  /** How near two embeddings are. */
  public enum Distance {
    /** The cosine of the angle between them; 0 where one is zero. */
    COSINE,

    /** The length of their difference. */
    EUCLIDEAN;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Of two embeddings of a length, at places in an array: the larger, the nearer. */
    private double nearness(float[] of, int a, int b, int length) {
      double dot = 0;
      double first = 0;
      double second = 0;
      double difference = 0;
      for (int i = 0; i < length; i++) {
        double x = of[a + i];
        double y = of[b + i];
        dot += x * y;
        first += x * x;
        second += y * y;
        difference += (x - y) * (x - y);
      }
      if (this == EUCLIDEAN) {
        return -Math.sqrt(difference);
      }
      double lengths = Math.sqrt(first) * Math.sqrt(second);
      return lengths == 0 ? 0 : dot / lengths;
    }
  }

  /**
   * Runs pairs through a network. The embeddings come to the host, which compares them in double
   * precision.
   *
   * @param data pairs
   * @param batch images at once, even
   * @throws SecateurException when images do not fit the network, its output is not finite, or all
   *     pairs are of one kind
   */
  public static Verification of(
      Network net, Dataset data, int batch, Distance distance, ProgressListener progress) {
    Evaluator.checkFits(net, data);
    BatchFeed.checkBatch(data, batch);
    Device device = net.device();
    double[] nearness = new double[data.size() / 2];
    boolean[] same = new boolean[nearness.length];
    int pairs = 0;
    try (InferenceProgram program = InferenceProgram.compile(net, batch, Optional.empty())) {
      int length = Math.toIntExact(program.output().elements() / batch);
      try (BatchFeed feed = new BatchFeed(device, data, program.input(), data.size())) {
        progress.start("eval", data.size());
        long start = System.nanoTime();
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          program.run();
          float[] out = device.downloadFloats(program.output());
          int[] known = feed.labels();
          for (int i = 0; i < rows; i += 2) {
            nearness[pairs] = distance.nearness(out, i * length, (i + 1) * length, length);
            same[pairs++] = known[i] == 1;
          }
          progress.step(feed.done(), Map.of());
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.finish();
        return of(
            distance,
            Arrays.copyOf(nearness, pairs),
            Arrays.copyOf(same, pairs),
            data.size() / seconds);
      }
    }
  }

  /**
   * @param nearness of each pair: the larger, the nearer; of a Euclidean distance, minus it
   * @param same by pair
   */
  static Verification of(
      Distance distance, double[] nearness, boolean[] same, double imagesPerSecond) {
    int n = same.length;
    long positives = IntStream.range(0, n).filter(i -> same[i]).count();
    long negatives = n - positives;
    if (positives == 0 || negatives == 0) {
      throw new SecateurException(
          n
              + " pairs, "
              + positives
              + " of them the same; expected pairs that are the same and pairs that differ");
    }
    if (!Arrays.stream(nearness).allMatch(Double::isFinite)) {
      throw new SecateurException("the network's output for a pair is not a finite number");
    }
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -nearness[i]))
            .mapToInt(i -> i)
            .toArray();
    // from the nearest pair on: all before the threshold are taken for the same
    double threshold = Math.nextUp(nearness[order[0]]);
    long most = negatives;
    long found = 0;
    long mistaken = 0;
    double area = 0;
    for (int at = 0; at < n; ) {
      double value = nearness[order[at]];
      long foundHere = 0;
      long mistakenHere = 0;
      for (; at < n && nearness[order[at]] == value; at++) {
        foundHere += same[order[at]] ? 1 : 0;
        mistakenHere += same[order[at]] ? 0 : 1;
      }
      area += mistakenHere * (found + foundHere / 2.0);
      found += foundHere;
      mistaken += mistakenHere;
      long right = found + negatives - mistaken;
      if (right > most) {
        most = right;
        threshold = value;
      }
    }
    return new Verification(
        distance,
        100.0 * most / n,
        distance == Distance.EUCLIDEAN ? 0 - threshold : threshold,
        area / ((double) positives * negatives),
        n,
        imagesPerSecond);
  }

  Evaluation evaluation() {
    return new Evaluation(1 - auc, accuracy, 100, 2 * pairs, imagesPerSecond);
  }
}
