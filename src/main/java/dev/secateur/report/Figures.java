package dev.secateur.report;

import dev.secateur.bench.Benchmark;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.ProjectedImages;
import dev.secateur.run.IterationMetrics;
import dev.secateur.run.Projections;
import dev.secateur.run.SavedRun;
import dev.secateur.train.EpochMetrics;
import dev.secateur.util.Numbers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/** The plots of a run. */
final class Figures {
  private static final int LAYER = 26;
  private static final int AROUND_LAYERS = 110;
  private static final int CLASSES = 10;

  /** More lines than these in one plot are one line. */
  private static final int LINES = 6;

  private final SavedRun run;
  private final List<IterationMetrics> metrics;

  /** What accuracies are called. */
  private final String measure;

  Figures(SavedRun run) {
    this.run = run;
    measure = run.record().inputs().measure();
    metrics = run.iterations().stream().map(SavedRun.Iteration::metrics).toList();
  }

  private double[] column(ToDoubleFunction<IterationMetrics> value) {
    return metrics.stream().mapToDouble(value).toArray();
  }

  private static String points(double v) {
    return Numbers.format("%.2f", v);
  }

  /** What an iteration's last accuracy is called: not every run fine-tunes. */
  static String tuned(List<IterationMetrics> all) {
    return all.stream().allMatch(m -> m.epochs().isEmpty()) ? "pruned" : "fine-tuned";
  }

  Figure accuracyByMacs() {
    boolean same = tuned(metrics).equals("pruned");
    double[] macs = column(m -> m.macs() / 1e6);
    Plot.Builder plot =
        Plot.of(
                "Accuracy against MACs",
                "MACs of one image, millions",
                "held-out " + measure + ", %")
            .description(
                "Each iteration is a point, the original network on the right. "
                    + range(tuned(metrics), column(IterationMetrics::accuracy)))
            .line(tuned(metrics), macs, column(IterationMetrics::accuracy));
    if (!same) {
      plot.line("right after removal", macs, column(IterationMetrics::afterPruning));
    }
    plot.reference("original", metrics.get(0).came());
    List<List<String>> rows =
        metrics.stream()
            .map(
                m ->
                    List.of(
                        Integer.toString(m.iteration()),
                        Numbers.format("%.3f", m.macs() / 1e6),
                        points(m.afterPruning()),
                        points(m.accuracy())))
            .toList();
    return new Figure(
        "accuracy-macs",
        plot.build(),
        "Held-out accuracy of each iteration against its multiply-accumulates"
            + (same ? "; the run did not fine-tune." : ", before and after fine-tuning."),
        new Figure.Table(
            "Accuracy and MACs by iteration",
            List.of("Iteration", "MACs, millions", "After removal, %", "In the end, %"),
            rows));
  }

  private static String range(String what, double[] values) {
    return "The "
        + what
        + " accuracy goes from "
        + points(values[0])
        + " to "
        + points(values[values.length - 1])
        + " per cent.";
  }

  Figure accuracyByTime(Timing t) {
    double[] ms = t.rows().stream().mapToDouble(Benchmark.Row::milliseconds).toArray();
    double[] accuracy =
        t.iterations().stream().mapToDouble(i -> metrics.get(i).accuracy()).toArray();
    Plot plot =
        Plot.of(
                "Accuracy against milliseconds",
                "milliseconds for a batch of " + t.batch(),
                "held-out " + measure + ", %")
            .description(
                "Each iteration is a point, the original network first. "
                    + range(tuned(metrics), accuracy))
            .line(tuned(metrics), ms, accuracy)
            .reference("original", accuracy[0])
            .build();
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < t.rows().size(); i++) {
      Benchmark.Row r = t.rows().get(i);
      rows.add(
          List.of(
              Integer.toString(t.iterations().get(i)),
              Numbers.format("%.3f", r.milliseconds()),
              Numbers.format("%.3f to %.3f", r.low95(), r.high95()),
              points(accuracy[i])));
    }
    return new Figure(
        "accuracy-milliseconds",
        plot,
        "The same accuracies against the median time of a batch of "
            + t.batch()
            + " images on "
            + t.device()
            + ".",
        new Figure.Table(
            "Accuracy and time by iteration",
            List.of("Iteration", "Median, ms", "95 % interval, ms", "In the end, %"),
            rows));
  }

  Figure speedup(Timing t) {
    double[] x = t.iterations().stream().mapToDouble(i -> i).toArray();
    List<Benchmark.Row> r = t.rows();
    Plot plot =
        Plot.of("Speedup", "iteration", "times as fast as the original")
            .description(
                Numbers.format(
                    "The last network timed runs %.2f times as fast as the original; its MACs"
                        + " alone would say %.2f times.",
                    r.get(r.size() - 1).speedup(), r.get(r.size() - 1).macsRatio()))
            .line(
                "measured, 95 % interval",
                x,
                r.stream().mapToDouble(Benchmark.Row::speedup).toArray(),
                r.stream().mapToDouble(Benchmark.Row::speedupLow95).toArray(),
                r.stream().mapToDouble(Benchmark.Row::speedupHigh95).toArray())
            .line("by MACs", x, r.stream().mapToDouble(Benchmark.Row::macsRatio).toArray())
            .build();
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < r.size(); i++) {
      rows.add(
          List.of(
              Integer.toString(t.iterations().get(i)),
              Numbers.format("%.2f", r.get(i).speedup()),
              Numbers.format("%.2f to %.2f", r.get(i).speedupLow95(), r.get(i).speedupHigh95()),
              Numbers.format("%.2f", r.get(i).macsRatio())));
    }
    return new Figure(
        "speedup",
        plot,
        "Measured speedup of each iteration beside what its MACs alone would give; all networks"
            + " took turns on the same device.",
        new Figure.Table(
            "Speedup by iteration",
            List.of("Iteration", "Measured", "95 % interval", "By MACs"),
            rows));
  }

  /** Filters of the convolutions that could be pruned or became narrower. */
  Optional<Figure> widths(Graph before, Graph after) {
    List<String> layers =
        before.nodes().stream()
            .filter(n -> before.shape(n.name()).rank() == 4)
            .filter(n -> n.op().hasFilters())
            .map(Node::name)
            .filter(n -> after.nodes().stream().anyMatch(o -> o.name().equals(n)))
            .filter(n -> scored(n) || width(before, n) != width(after, n))
            .toList();
    if (layers.isEmpty()) {
      return Optional.empty();
    }
    double[] x = positions(layers);
    double[] old = layers.stream().mapToDouble(n -> width(before, n)).toArray();
    double[] now = layers.stream().mapToDouble(n -> width(after, n)).toArray();
    Plot plot =
        Plot.of("Filters by layer", "", "filters")
            .description(
                Numbers.format(
                    "%.0f filters in %d layers before, %.0f after.",
                    Arrays.stream(old).sum(), layers.size(), Arrays.stream(now).sum()))
            .size(480, AROUND_LAYERS + LAYER * layers.size())
            .sideways()
            .categories(layers)
            .bars("before", x, old)
            .bars("after", x, now)
            .build();
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      rows.add(
          List.of(
              layers.get(i),
              Numbers.plain(old[i]),
              Numbers.plain(now[i]),
              Numbers.typeset(Numbers.change(old[i], now[i]))));
    }
    return Optional.of(
        new Figure(
            "widths",
            plot,
            "Width of each prunable convolution before and after.",
            new Figure.Table(
                "Filters by layer", List.of("Layer", "Before", "After", "Change"), rows)));
  }

  private boolean scored(String layer) {
    return run.iterations().stream().anyMatch(i -> i.importance().byFilter().containsKey(layer));
  }

  private static int width(Graph graph, String layer) {
    return graph.shape(layer).size(1);
  }

  private static double[] positions(List<String> layers) {
    return IntStream.range(0, layers.size()).asDoubleStream().toArray();
  }

  /** Importance of the first iteration and of the result's. */
  List<Figure> scores() {
    List<Figure> out = new ArrayList<>();
    int last = run.chosen();
    if (run.iterations().size() > 1) {
      out.add(scores(1));
      if (last > 1) {
        out.add(scores(last));
      }
    }
    return out;
  }

  /**
   * The highest score of a filter that went in an iteration: the threshold, where no constraint
   * held others back.
   */
  static double threshold(SavedRun.Iteration iteration) {
    double most = Double.NEGATIVE_INFINITY;
    for (Map.Entry<String, int[]> e : iteration.metrics().removed().filters().entrySet()) {
      float[] of = iteration.importance().byFilter().getOrDefault(e.getKey(), new float[0]);
      for (int f : e.getValue()) {
        most = f < of.length ? Math.max(most, of[f]) : most;
      }
    }
    return most;
  }

  private Figure scores(int iteration) {
    SavedRun.Iteration it = run.iterations().get(iteration);
    Importance importance = it.importance();
    String what = run.criterion().measure();
    List<String> layers = List.copyOf(importance.byFilter().keySet());
    double[] x = positions(layers);
    double[][] q = new double[5][layers.size()];
    List<double[]> gone = new ArrayList<>();
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      float[] of = importance.byFilter().get(layers.get(i)).clone();
      int[] removed = it.metrics().removed().of(layers.get(i));
      for (int f : removed) {
        gone.add(new double[] {i, f < of.length ? of[f] : Double.NaN});
      }
      Arrays.sort(of);
      List<String> row = new ArrayList<>(List.of(layers.get(i), Integer.toString(of.length)));
      for (int k = 0; k < q.length; k++) {
        q[k][i] = quantile(of, k / 4.0);
        row.add(Numbers.plain(q[k][i]));
      }
      row.add(Integer.toString(removed.length));
      rows.add(row);
    }
    double threshold = threshold(it);
    Plot.Builder plot =
        Plot.of(what + " by layer, iteration " + iteration, "", what)
            .description(
                Numbers.format(
                    "Distribution of the filters' scores in %d layers; %d filters up to %s were"
                        + " removed.",
                    layers.size(), gone.size(), Numbers.plain(threshold)))
            .size(480, AROUND_LAYERS + LAYER * layers.size())
            .sideways()
            .categories(layers)
            .ranges("middle half", x, q[1], q[3])
            .scatter("median, whole range", x, q[2], q[0], q[4])
            .scatter(
                "removed",
                gone.stream().mapToDouble(g -> g[0]).toArray(),
                gone.stream().mapToDouble(g -> g[1]).toArray());
    if (Double.isFinite(threshold)) {
      plot.reference("threshold " + Numbers.plain(threshold), threshold);
    }
    return new Figure(
        "scores-iteration-" + iteration,
        plot.build(),
        "Importance of the filters in iteration "
            + iteration
            + ", layer by layer; the threshold is the highest score that was removed, over all"
            + " layers.",
        new Figure.Table(
            what + " by layer, iteration " + iteration,
            List.of(
                "Layer",
                "Filters",
                "Least",
                "Lower quartile",
                "Median",
                "Upper quartile",
                "Most",
                "Removed"),
            rows));
  }

  /** Between the order statistics, as NumPy does. */
  private static double quantile(float[] sorted, double q) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    double at = q * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(sorted.length - 1, below + 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }

  List<Figure> projections(Projections p) {
    List<String> classes = p.classNames();
    return List.of(
        projection("before", "Before pruning", p.before(), classes),
        projection("after", "After pruning", p.after(), classes));
  }

  private static Figure projection(
      String name, String title, ProjectedImages images, List<String> classNames) {
    int[] labels = images.labels();
    List<Integer> shown =
        IntStream.range(0, classNames.size())
            .boxed()
            .filter(c -> Arrays.stream(labels).anyMatch(l -> l == c))
            .sorted(Comparator.comparing((Integer c) -> -count(labels, c)))
            .limit(CLASSES)
            .sorted()
            .toList();
    Plot.Builder plot =
        Plot.of("PLS scores: " + title, "component 1", "component 2").size(480, 420);
    List<List<String>> rows = new ArrayList<>();
    for (int c : shown) {
      int[] own = IntStream.range(0, labels.length).filter(i -> labels[i] == c).toArray();
      double[] x = Arrays.stream(own).mapToDouble(i -> images.first()[i]).toArray();
      double[] y = Arrays.stream(own).mapToDouble(i -> images.second()[i]).toArray();
      plot.scatter(classNames.get(c), x, y);
      rows.add(
          List.of(
              classNames.get(c),
              Integer.toString(own.length),
              Numbers.plain(Arrays.stream(x).average().orElseThrow()),
              Numbers.plain(Arrays.stream(y).average().orElseThrow())));
    }
    String between =
        Numbers.format(
            "Differences between classes make up %.0f %% of the variance along component 1 and"
                + " %.0f %% along component 2.",
            100 * between(labels, images.first()), 100 * between(labels, images.second()));
    plot.description(
        labels.length + " held-out images in " + shown.size() + " classes. " + between);
    boolean all = shown.size() == Arrays.stream(labels).distinct().count();
    return new Figure(
        "pls-" + name,
        plot.build(),
        title
            + ": "
            + labels.length
            + " held-out images by their scores on the first two PLS components, which were"
            + " fitted to training images. "
            + between
            + (all ? "" : " Only the " + CLASSES + " largest classes are drawn."),
        new Figure.Table(
            "PLS scores by class, " + name + " pruning",
            List.of("Class", "Images", "Mean, component 1", "Mean, component 2"),
            rows));
  }

  private static int count(int[] labels, int c) {
    return (int) Arrays.stream(labels).filter(l -> l == c).count();
  }

  /** Between the classes' means, as part of the whole variance. */
  private static double between(int[] labels, float[] values) {
    double mean = IntStream.range(0, values.length).mapToDouble(i -> values[i]).average().orElse(0);
    double total = 0;
    double sum = 0;
    for (int c : Arrays.stream(labels).distinct().toArray()) {
      double[] own =
          IntStream.range(0, values.length)
              .filter(i -> labels[i] == c)
              .mapToDouble(i -> values[i])
              .toArray();
      double d = Arrays.stream(own).average().orElse(mean) - mean;
      sum += own.length * d * d;
      total += Arrays.stream(own).map(v -> (v - mean) * (v - mean)).sum();
    }
    return total == 0 ? 0 : sum / total;
  }

  /** Loss and accuracy of fine-tuning; none without it. */
  List<Figure> training() {
    List<List<EpochMetrics>> tuned =
        metrics.stream().map(IterationMetrics::epochs).filter(e -> !e.isEmpty()).toList();
    if (tuned.isEmpty()) {
      return List.of();
    }
    List<List<String>> rows = new ArrayList<>();
    for (IterationMetrics m : metrics) {
      for (EpochMetrics e : m.epochs()) {
        rows.add(
            List.of(
                m.iteration() + "." + e.epoch(),
                Numbers.format("%.4f", e.loss()),
                points(e.top1()),
                Numbers.plain(e.learningRate()),
                Numbers.format("%.0f", e.imagesPerSecond())));
      }
    }
    Figure.Table table =
        new Figure.Table(
            "Fine-tuning, epoch by epoch",
            List.of(
                "Iteration and epoch",
                "Loss",
                measure + ", %",
                "Learning rate",
                "Images per second"),
            rows);
    Plot.Builder loss = Plot.of("Training loss", "epoch of fine-tuning", "loss");
    Plot.Builder top1 = Plot.of("Training accuracy", "epoch of fine-tuning", measure + ", %");
    lines(loss, EpochMetrics::loss);
    lines(top1, EpochMetrics::top1);
    List<Double> ends = new ArrayList<>();
    List<Double> held = new ArrayList<>();
    double epochs = 0;
    for (IterationMetrics m : metrics) {
      epochs += m.epochs().size();
      if (!m.epochs().isEmpty()) {
        ends.add(epochs);
        held.add(m.accuracy());
      }
    }
    top1.scatter("held-out images", array(ends), array(held));
    String where = ", on augmented training images, over all iterations one after another";
    return List.of(
        new Figure(
            "training-loss",
            loss.description("Loss by epoch" + where + ".").build(),
            "Mean loss of each epoch" + where + ".",
            table),
        new Figure(
            "training-accuracy",
            top1.description("Accuracy by epoch" + where + ".").build(),
            "Accuracy of each epoch"
                + where
                + "; on the held-out images it is known after each iteration's last epoch.",
            new Figure.Table(
                "Held-out accuracy after fine-tuning",
                List.of("Iteration", "Held-out " + measure + ", %"),
                metrics.stream()
                    .map(m -> List.of(Integer.toString(m.iteration()), points(m.accuracy())))
                    .toList())));
  }

  private void lines(Plot.Builder plot, ToDoubleFunction<EpochMetrics> value) {
    long many = metrics.stream().filter(m -> !m.epochs().isEmpty()).count();
    List<Double> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    int epochs = 0;
    for (IterationMetrics m : metrics) {
      for (EpochMetrics e : m.epochs()) {
        x.add((double) ++epochs);
        y.add(value.applyAsDouble(e));
      }
      if (many <= LINES && !x.isEmpty()) {
        plot.line("iteration " + m.iteration(), array(x), array(y));
        x.clear();
        y.clear();
      }
    }
    if (many > LINES) {
      plot.line("training images", array(x), array(y));
    }
  }

  private static double[] array(List<Double> list) {
    return list.stream().mapToDouble(v -> v).toArray();
  }
}
