package dev.secateur.prune.criterion;

import dev.secateur.nn.Network;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.stream.IntStream;

/**
 * ReliefF (Kononenko, Estimating Attributes: Analysis and Extensions of RELIEF, ECML 1994;
 * Robnik-Šikonja and Kononenko, Theoretical and Empirical Analysis of ReliefF and RReliefF, 2003):
 * a feature gains by differing from the 10 nearest neighbours of each other class, weighted by that
 * class's share, and loses by differing from the 10 nearest of its own. Differences are parts of
 * the feature's range, distances their sums; every sample is taken in turn.
 *
 * <p>Neighbours need the samples themselves: at most {@value #MOST} images are used, and their
 * features are held and compared on the host.
 */
final class Relief implements Criterion {
  private static final int MOST = 1_000;
  private static final int NEIGHBOURS = 10;

  @Override
  public String name() {
    return "relief";
  }

  @Override
  public boolean needsLabels() {
    return true;
  }

  @Override
  public boolean scoresSums() {
    return true;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    List<float[]> samples = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    int p = Features.count(net.graph(), layers);
    Features.stream(
        "score",
        net,
        layers,
        data.atMost(MOST),
        (x, y, known, rows) -> {
          int[] of = known.get();
          float[] values = net.device().downloadFloats(x.view(0, Shape.of(rows, p)));
          for (int i = 0; i < rows; i++) {
            samples.add(Arrays.copyOfRange(values, i * p, (i + 1) * p));
            labels.add(of[i]);
          }
        });
    double[] counts = new double[data.classes(net.graph())];
    labels.forEach(l -> counts[l]++);
    Enough.rows(name(), data.row(), counts, 2);
    Enough.classes(name(), data.row(), counts);
    Enough.varying(name(), data.row(), counts, ranges(samples, p));
    float[] scores =
        scores(
            samples.toArray(float[][]::new),
            labels.stream().mapToInt(l -> l).toArray(),
            counts.length);
    return Enough.scores(name(), Features.byLayer(net.graph(), layers, scores));
  }

  /**
   * @param samples (n,p)
   * @param labels by sample, below {@code classes}
   */
  static float[] scores(float[][] samples, int[] labels, int classes) {
    int p = samples[0].length;
    double[][] x = scaled(samples);
    double[] counts = new double[classes];
    for (int l : labels) {
      counts[l]++;
    }
    double[] out =
        IntStream.range(0, x.length)
            .parallel()
            .mapToObj(i -> contribution(x, labels, counts, i))
            .collect(() -> new double[p], Relief::add, Relief::add);
    for (int j = 0; j < p; j++) {
      out[j] /= x.length;
    }
    return Host.floats(out);
  }

  private static void add(double[] to, double[] from) {
    for (int j = 0; j < to.length; j++) {
      to[j] += from[j];
    }
  }

  /** Largest minus smallest value by feature. */
  private static float[] ranges(List<float[]> samples, int p) {
    float[] out = new float[p];
    for (int j = 0; j < p; j++) {
      float min = Float.MAX_VALUE;
      float max = -Float.MAX_VALUE;
      for (float[] s : samples) {
        min = Math.min(min, s[j]);
        max = Math.max(max, s[j]);
      }
      out[j] = max - min;
    }
    return out;
  }

  /** Features as parts of their range; 0 for one that does not vary. */
  private static double[][] scaled(float[][] samples) {
    int p = samples[0].length;
    double[][] x = new double[samples.length][p];
    for (int j = 0; j < p; j++) {
      double min = Double.MAX_VALUE;
      double max = -Double.MAX_VALUE;
      for (float[] s : samples) {
        min = Math.min(min, s[j]);
        max = Math.max(max, s[j]);
      }
      for (int i = 0; i < x.length; i++) {
        x[i][j] = max > min ? (samples[i][j] - min) / (max - min) : 0;
      }
    }
    return x;
  }

  private record Neighbour(double distance, int index) {}

  private static double[] contribution(double[][] x, int[] labels, double[] counts, int i) {
    Comparator<Neighbour> far =
        Comparator.comparingDouble(Neighbour::distance).thenComparingInt(Neighbour::index);
    List<PriorityQueue<Neighbour>> nearest = new ArrayList<>();
    for (int k = 0; k < counts.length; k++) {
      nearest.add(new PriorityQueue<>(far.reversed()));
    }
    for (int o = 0; o < x.length; o++) {
      if (o != i) {
        PriorityQueue<Neighbour> of = nearest.get(labels[o]);
        of.add(new Neighbour(distance(x[i], x[o]), o));
        if (of.size() > NEIGHBOURS) {
          of.poll();
        }
      }
    }
    double[] out = new double[x[i].length];
    double others = x.length - counts[labels[i]];
    for (int k = 0; k < counts.length; k++) {
      // P(class) / (1 - P(own class)), or minus 1 for the own class; over the neighbours found
      double weight = (k == labels[i] ? -1 : counts[k] / others) / nearest.get(k).size();
      for (Neighbour n : nearest.get(k)) {
        double[] y = x[n.index()];
        for (int j = 0; j < out.length; j++) {
          out[j] += weight * Math.abs(x[i][j] - y[j]);
        }
      }
    }
    return out;
  }

  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int j = 0; j < a.length; j++) {
      sum += Math.abs(a[j] - b[j]);
    }
    return sum;
  }
}
