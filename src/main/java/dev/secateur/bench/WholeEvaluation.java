package dev.secateur.bench;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.data.MaskedImages;
import dev.secateur.train.Evaluation;
import dev.secateur.train.ProgressListener;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What a {@link WholeNetwork} is worth on images whose classes, or whose pixels', are known. */
public final class WholeEvaluation {
  private WholeEvaluation() {}

  /**
   * How well the pixels' classes are told.
   *
   * @param pixelAccuracy per cent of the pixels that count
   * @param meanIou mean over classes that occur of intersection over union, per cent
   * @param iou by class, per cent; NaN where it does not occur, neither in masks nor in answers
   */
  public record Segmentation(
      double pixelAccuracy, double meanIou, double[] iou, long images, double imagesPerSecond) {}

  private interface Rows {
    void take(List<WholeNetwork.Output> outputs, int[] images);
  }

  private static double run(WholeNetwork net, Dataset data, ProgressListener progress, Rows rows) {
    int each = data.channels() * data.height() * data.width();
    ByteBuffer pixels = ByteBuffer.allocate(net.batch() * each);
    progress.start("eval", data.size());
    long start = System.nanoTime();
    int at = 0;
    int lost = 0;
    while (at < data.size()) {
      int[] images = new int[net.batch()];
      int n = 0;
      for (; n < images.length && at < data.size(); at++) {
        if (data.read(at, pixels, n * each)) {
          images[n++] = at;
        } else {
          lost++;
        }
      }
      if (n > 0) {
        rows.take(net.run(pixels), Arrays.copyOf(images, n));
      }
      progress.step(at, Map.of());
    }
    progress.finish();
    return (data.size() - lost) / ((System.nanoTime() - start) / 1e9);
  }

  private static WholeNetwork.Output first(
      List<WholeNetwork.Output> outputs, String what, Predicate<WholeNetwork.Output> fits) {
    return outputs.stream()
        .filter(fits)
        .findFirst()
        .orElseThrow(
            () ->
                new SecateurException(
                    "none of the outputs tells "
                        + what
                        + ": "
                        + outputs.stream()
                            .map(o -> o.name() + " " + Arrays.toString(o.shape()))
                            .collect(Collectors.joining(", "))
                        + "; expected a number a class, or the class"));
  }

  /**
   * Of the first output with a number for each class, or the class itself.
   *
   * @param data with classes
   * @return loss and top-5 are not a number where the output is the class itself
   */
  public static Evaluation classes(WholeNetwork net, Dataset data, ProgressListener progress) {
    double[] sums = new double[4];
    int known = data.classNames().size();
    double rate =
        run(
            net,
            data,
            progress,
            (outputs, images) -> {
              WholeNetwork.Output o =
                  first(
                      outputs,
                      "an image's class",
                      c -> c.whole() ? c.each() == 1 : c.each() >= Math.max(2, known) && flat(c));
              for (int i = 0; i < images.length; i++) {
                add(sums, o, i * o.each(), data.label(images[i]));
              }
            });
    return new Evaluation(
        sums[0] / sums[3], 100 * sums[1] / sums[3], 100 * sums[2] / sums[3], (long) sums[3], rate);
  }

  /** Whether all but one extent beside N is 1. */
  private static boolean flat(WholeNetwork.Output o) {
    return Arrays.stream(o.shape()).skip(1).filter(d -> d > 1).count() == 1;
  }

  private static void add(double[] sums, WholeNetwork.Output o, int from, int label) {
    double[] v = o.values();
    sums[3]++;
    if (o.whole()) {
      sums[0] = Double.NaN;
      sums[2] = Double.NaN;
      sums[1] += v[from] == label ? 1 : 0;
      return;
    }
    int ahead = 0;
    double total = 0;
    double least = Double.POSITIVE_INFINITY;
    double most = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < o.each(); k++) {
      double x = v[from + k];
      ahead += x > v[from + label] || x == v[from + label] && k < label ? 1 : 0;
      total += x;
      least = Math.min(least, x);
      most = Math.max(most, x);
    }
    sums[1] += ahead < 1 ? 1 : 0;
    sums[2] += ahead < 5 ? 1 : 0;
    if (least >= 0 && Math.abs(total - 1) < 1e-3) { // probabilities already
      sums[0] -= Math.log(Math.max(1e-30, v[from + label]));
      return;
    }
    double exp = 0;
    for (int k = 0; k < o.each(); k++) {
      exp += Math.exp(v[from + k] - most);
    }
    sums[0] += Math.log(exp) + most - v[from + label];
  }

  /**
   * Of the first output with a map a class, (N,K,h,w), or the classes themselves, (N,h,w) or
   * (N,1,h,w); of a single map that is not whole numbers the class is 1 where it is above 0, or
   * above 0.5 where all of it is from 0 to 1. Answers are enlarged to the mask by the nearest
   * pixel.
   */
  public static Segmentation masks(WholeNetwork net, MaskedImages data, ProgressListener progress) {
    long[][] confusion = new long[256][256];
    byte[] mask = new byte[data.height() * data.width()];
    long[] count = new long[1];
    double rate =
        run(
            net,
            data,
            progress,
            (outputs, images) -> {
              WholeNetwork.Output o =
                  first(
                      outputs,
                      "the class of pixels",
                      c -> c.shape().length == 4 || c.shape().length == 3 && c.whole());
              for (int i = 0; i < images.length; i++) {
                data.mask(images[i], mask);
                add(confusion, o, i, mask, data.height(), data.width());
                count[0]++;
              }
            });
    return of(confusion, count[0], rate);
  }

  private static void add(
      long[][] confusion, WholeNetwork.Output o, int image, byte[] mask, int height, int width) {
    int rank = o.shape().length;
    int h = (int) o.shape()[rank - 2];
    int w = (int) o.shape()[rank - 1];
    int maps = o.each() / (h * w);
    int from = image * o.each();
    boolean unit =
        !o.whole()
            && maps == 1
            && Arrays.stream(o.values(), from, from + h * w).allMatch(v -> v >= 0 && v <= 1);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int known = mask[y * width + x] & 255;
        if (known != MaskedImages.IGNORED) {
          int at = from + y * h / height * w + x * w / width;
          int said = 0;
          if (maps == 1) {
            double v = o.values()[at];
            said = o.whole() ? (int) v : v > (unit ? 0.5 : 0) ? 1 : 0;
          }
          for (int k = 1; k < maps; k++) {
            said = o.values()[at + k * h * w] > o.values()[at + said * h * w] ? k : said;
          }
          confusion[known][Math.min(255, Math.max(0, said))]++;
        }
      }
    }
  }

  /**
   * @param confusion pixels by class and answer
   */
  static Segmentation of(long[][] confusion, long images, double imagesPerSecond) {
    int classes = confusion.length;
    List<Double> iou = new ArrayList<>();
    long right = 0;
    long all = 0;
    int last = 0;
    double sum = 0;
    int occur = 0;
    for (int k = 0; k < classes; k++) {
      long own = Arrays.stream(confusion[k]).sum();
      long said = 0;
      for (long[] row : confusion) {
        said += row[k];
      }
      long union = own + said - confusion[k][k];
      right += confusion[k][k];
      all += own;
      iou.add(union == 0 ? Double.NaN : 100.0 * confusion[k][k] / union);
      if (union > 0) {
        last = k;
        sum += iou.get(k);
        occur++;
      }
    }
    return new Segmentation(
        100.0 * right / all,
        sum / occur,
        iou.stream().limit(last + 1).mapToDouble(v -> v).toArray(),
        images,
        imagesPerSecond);
  }
}
