package dev.secateur.experiment;

import dev.secateur.bench.Benchmark;
import dev.secateur.util.Table;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** An experiment's results over seeds, as rows and as Markdown. */
public final class Summary {
  private final Plan plan;
  private final CellResult.Step baseline;
  private final List<Row> rows;

  private Summary(Plan plan, CellResult.Step baseline, List<Row> rows) {
    this.plan = plan;
    this.baseline = baseline;
    this.rows = rows;
  }

  /**
   * A criterion at a ratio after an iteration.
   *
   * @param filters per cent of the original's prunable filters that are gone
   * @param parameters per cent of the original's that are gone
   * @param macs per cent of the original's that are gone
   * @param before top-1 in per cent before fine-tuning
   * @param after top-1 in per cent after it
   * @param milliseconds median a batch, where timed
   * @param speedup against the original in the same turns, where timed
   */
  public record Row(
      String criterion,
      double ratio,
      int iteration,
      Spread filters,
      Spread parameters,
      Spread macs,
      Spread before,
      Spread after,
      Optional<Spread> milliseconds,
      Optional<Spread> speedup) {}

  /** A result's step and its time. */
  private record Point(CellResult.Step step, Optional<Benchmark.Row> time) {}

  /**
   * @param times by {@link Times#key}; empty where nothing was timed
   */
  static Summary of(
      Plan plan,
      CellResult.Step baseline,
      List<CellResult> results,
      Map<String, Benchmark.Row> times) {
    Map<List<Object>, List<Point>> groups = new LinkedHashMap<>();
    for (CellResult r : results) {
      for (CellResult.Step s : r.steps()) {
        groups
            .computeIfAbsent(
                List.of(r.criterion(), r.ratio(), s.iteration()), k -> new ArrayList<>())
            .add(new Point(s, Optional.ofNullable(times.get(Times.key(r, s)))));
      }
    }
    List<Row> rows = new ArrayList<>();
    groups.forEach(
        (k, points) -> {
          boolean timed = points.stream().allMatch(p -> p.time().isPresent());
          rows.add(
              new Row(
                  (String) k.get(0),
                  (Double) k.get(1),
                  (Integer) k.get(2),
                  lost(points, baseline, CellResult.Step::filters),
                  lost(points, baseline, CellResult.Step::parameters),
                  lost(points, baseline, CellResult.Step::macs),
                  spread(points, p -> p.step().before()),
                  spread(points, p -> p.step().after()),
                  timed
                      ? Optional.of(spread(points, p -> p.time().orElseThrow().milliseconds()))
                      : Optional.empty(),
                  timed
                      ? Optional.of(spread(points, p -> p.time().orElseThrow().speedup()))
                      : Optional.empty()));
        });
    return new Summary(plan, baseline, rows);
  }

  private static Spread lost(
      List<Point> points, CellResult.Step baseline, ToDoubleFunction<CellResult.Step> of) {
    double whole = of.applyAsDouble(baseline);
    return spread(points, p -> 100 * (1 - of.applyAsDouble(p.step()) / whole));
  }

  private static Spread spread(List<Point> points, ToDoubleFunction<Point> value) {
    return Spread.of(points.stream().mapToDouble(value).toArray());
  }

  public List<Row> rows() {
    return rows;
  }

  public CellResult.Step baseline() {
    return baseline;
  }

  /** Criteria by mean accuracy after everything, the best first. */
  public List<String> ranking() {
    return rows.stream()
        .map(Row::criterion)
        .distinct()
        .sorted(
            Comparator.comparingDouble(
                c ->
                    -rows.stream()
                        .filter(r -> r.criterion().equals(c))
                        .mapToDouble(r -> r.after().mean())
                        .average()
                        .orElseThrow()))
        .toList();
  }

  /** All tables, for a person. */
  public String markdown(boolean finetuned) {
    StringBuilder out = new StringBuilder();
    out.append(
        String.format(
            Locale.ROOT,
            "The original: %d prunable filters, %d parameters, %d MACs, top-1 %.2f %% of the %s images.%n",
            baseline.filters(),
            baseline.parameters(),
            baseline.macs(),
            baseline.after(),
            plan.evaluation()));
    int last = rows.stream().mapToInt(Row::iteration).max().orElse(0);
    if (last == 1) {
      out.append("\n## One step, before fine-tuning\n\n").append(grid(Row::before));
      if (finetuned) {
        out.append("\n## One step, after fine-tuning\n\n").append(grid(Row::after));
      }
    }
    out.append("\n## All\n\n").append(all(last > 1, finetuned));
    return out.toString();
  }

  private String removed() {
    return plan.removed() == Plan.Removed.MACS ? "MACs" : "filters";
  }

  /** Whose accuracy it is, in a word. */
  String images() {
    return plan.evaluation() == Plan.Evaluation.TEST ? "Test" : "Held-out";
  }

  /** Criteria down, ratios across. */
  private String grid(Function<Row, Spread> value) {
    List<Double> ratios = rows.stream().map(Row::ratio).distinct().sorted().toList();
    List<String> head = new ArrayList<>(List.of("top-1 % with " + removed() + " removed:"));
    ratios.forEach(r -> head.add(String.format(Locale.ROOT, "%.0f %%", 100 * r)));
    Table table = new Table(head);
    for (String c : ranking()) {
      List<String> line = new ArrayList<>(List.of(c));
      for (Double ratio : ratios) {
        line.add(
            rows.stream()
                .filter(r -> r.criterion().equals(c) && r.ratio() == ratio)
                .map(r -> value.apply(r).text(2))
                .findFirst()
                .orElse(""));
      }
      table.row(line);
    }
    return table.markdown();
  }

  private String all(boolean iterative, boolean finetuned) {
    boolean timed = rows.stream().allMatch(r -> r.milliseconds().isPresent());
    List<String> head = new ArrayList<>(List.of("criterion", "of " + removed()));
    if (iterative) {
      head.add("iteration");
    }
    head.addAll(List.of("seeds", "filters ↓ %", "parameters ↓ %", "MACs ↓ %"));
    head.add(finetuned ? "top-1 % before" : "top-1 %");
    if (finetuned) {
      head.add("after fine-tuning");
    }
    head.add("drop, points");
    if (timed) {
      head.addAll(List.of("ms a batch", "speedup"));
    }
    Table table = new Table(head);
    for (Row r : rows) {
      List<String> line =
          new ArrayList<>(List.of(r.criterion(), String.format(Locale.ROOT, "%s", r.ratio())));
      if (iterative) {
        line.add(Integer.toString(r.iteration()));
      }
      line.add(Integer.toString(r.after().seeds()));
      line.add(String.format(Locale.ROOT, "%.1f", r.filters().mean()));
      line.add(r.parameters().text(1));
      line.add(r.macs().text(1));
      line.add(r.before().text(2));
      if (finetuned) {
        line.add(r.after().text(2));
      }
      line.add(String.format(Locale.ROOT, "%.2f", baseline.after() - r.after().mean()));
      if (timed) {
        line.add(r.milliseconds().orElseThrow().text(2));
        line.add(r.speedup().orElseThrow().text(2));
      }
      table.row(line);
    }
    return table.markdown();
  }

  /** One line a cell and iteration. */
  static String csv(List<CellResult> results, Map<String, Benchmark.Row> times) {
    StringBuilder out = new StringBuilder();
    out.append(
        "criterion,pruning_ratio,seed,iteration,filters,parameters,macs,top1_before,top1_after,ms,speedup\n");
    for (CellResult r : results) {
      for (CellResult.Step s : r.steps()) {
        Benchmark.Row t = times.get(Times.key(r, s));
        List<Object> values =
            Arrays.asList(
                r.criterion(),
                r.ratio(),
                r.seed(),
                s.iteration(),
                s.filters(),
                s.parameters(),
                s.macs(),
                String.format(Locale.ROOT, "%.4f", s.before()),
                String.format(Locale.ROOT, "%.4f", s.after()),
                t == null ? "" : String.format(Locale.ROOT, "%.4f", t.milliseconds()),
                t == null ? "" : String.format(Locale.ROOT, "%.4f", t.speedup()));
        out.append(values.stream().map(String::valueOf).collect(Collectors.joining(",")));
        out.append('\n');
      }
    }
    return out.toString();
  }
}
