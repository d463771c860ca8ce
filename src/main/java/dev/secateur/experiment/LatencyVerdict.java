package dev.secateur.experiment;

import dev.secateur.experiment.LatencyComparison.Cell;
import dev.secateur.experiment.LatencyComparison.Method;
import dev.secateur.experiment.LatencyComparison.Result;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** What a comparison shows: a table over seeds and whether the knapsacks beat the others. */
public final class LatencyVerdict {
  private final Result result;
  private final double tolerance;

  /**
   * @param tolerance by which measured latencies of a seed may differ, as a part, and still count
   *     as the same
   */
  public LatencyVerdict(Result result, double tolerance) {
    this.result = result;
    this.tolerance = tolerance;
  }

  private List<Cell> of(Method method) {
    return result.cells().stream().filter(c -> c.method() == method).toList();
  }

  private Spread spread(Method method, ToDoubleFunction<Cell> value) {
    return Spread.of(of(method).stream().mapToDouble(value).toArray());
  }

  /** Points of tuned top-1 by which a knapsack is above another, seed by seed. */
  private double[] above(Method knapsack, Method other) {
    List<Cell> own = of(knapsack);
    List<Cell> others = of(other);
    double[] out = new double[own.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = own.get(i).tuned() - others.get(i).tuned();
    }
    return out;
  }

  /** On average over seeds, each with its own. */
  private boolean sameLatency(Method knapsack, Method other) {
    List<Cell> own = of(knapsack);
    List<Cell> others = of(other);
    double difference = 0;
    for (int i = 0; i < own.size(); i++) {
      double its = others.get(i).measured().ratio();
      difference += Math.abs(own.get(i).measured().ratio() / its - 1) / own.size();
    }
    return difference <= tolerance;
  }

  /**
   * Whether a knapsack beat another way: at the same measured latency its mean tuned accuracy is
   * above by more than twice the standard error of the differences over several seeds.
   */
  public boolean beats(Method knapsack, Method other) {
    Spread d = Spread.of(above(knapsack, other));
    return d.seeds() > 1
        && sameLatency(knapsack, other)
        && d.mean() > 0
        && d.mean() > 2 * d.error();
  }

  /** A line for each knapsack: one sentence on both of the other ways, and one on each. */
  public String text() {
    return text(Method.SUMS, "knapsack of sums") + "\n" + text(Method.SHARES, "knapsack of shares");
  }

  private String text(Method own, String name) {
    boolean both = beats(own, Method.PLAIN) && beats(own, Method.ROUNDED);
    return "The %s %s both. %s %s"
        .formatted(
            name,
            both ? "beat" : "did not beat",
            against(own, Method.PLAIN, "plain"),
            against(own, Method.ROUNDED, "rounded"));
  }

  private String against(Method own, Method other, String name) {
    double[] above = above(own, other);
    Spread d = Spread.of(above);
    long wins = Arrays.stream(above).filter(v -> v > 0).count();
    String verdict =
        beats(own, other)
            ? "beaten"
            : !sameLatency(own, other)
                ? "not comparable, the latencies differ by more than " + percent(tolerance)
                : d.seeds() < 2
                    ? "one seed says nothing about the spread"
                    : d.mean() < -2 * d.error() ? "it is worse" : "not told apart";
    return String.format(
        Locale.ROOT,
        "Against %s scores: %+.2f points (standard error %.2f, higher in %d of %d seeds) at %.3f"
            + " and %.3f of the original's time: %s.",
        name,
        d.mean(),
        d.error(),
        wins,
        d.seeds(),
        spread(own, c -> c.measured().ratio()).mean(),
        spread(other, c -> c.measured().ratio()).mean(),
        verdict);
  }

  private static String percent(double part) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * part);
  }

  /** The table as Markdown. */
  public String table() {
    Table out =
        new Table(
            "selection",
            "measured latency",
            "by the table",
            "parameters",
            "MACs",
            "top-1 % pruned",
            "top-1 % tuned");
    out.row("original", 1, 1, "", "", "", Numbers.format("%.2f", result.top1()));
    for (Method m : Method.values()) {
      out.row(
          m,
          spread(m, c -> c.measured().ratio()).text(3),
          spread(m, Cell::predicted).text(3),
          Numbers.format("%.0f", spread(m, Cell::parameters).mean()),
          Numbers.format("%.0f", spread(m, Cell::macs).mean()),
          spread(m, Cell::pruned).text(2),
          spread(m, Cell::tuned).text(2));
    }
    return out.markdown();
  }
}
