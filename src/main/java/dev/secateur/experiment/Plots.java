package dev.secateur.experiment;

import dev.secateur.report.Plot;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** An experiment's results as plots. */
final class Plots {
  private Plots() {}

  /**
   * Accuracy before and after fine-tuning against MACs, parameters and, where timed, milliseconds.
   *
   * @return by file name without its ending
   */
  static Map<String, Plot> of(Summary summary, boolean finetuned) {
    Map<String, Plot> out = new LinkedHashMap<>();
    boolean timed = summary.rows().stream().allMatch(r -> r.milliseconds().isPresent());
    for (boolean after : finetuned ? new boolean[] {false, true} : new boolean[] {false}) {
      String when = after ? "after" : "before";
      Function<Summary.Row, Spread> top1 = after ? Summary.Row::after : Summary.Row::before;
      out.put(
          when + "-macs",
          plot(summary, when, "MACs", "MACs removed, %", r -> r.macs().mean(), top1));
      out.put(
          when + "-parameters",
          plot(
              summary,
              when,
              "parameters",
              "Parameters removed, %",
              r -> r.parameters().mean(),
              top1));
      if (timed) {
        out.put(
            when + "-ms",
            plot(
                summary,
                when,
                "milliseconds",
                "Milliseconds a batch",
                r -> r.milliseconds().orElseThrow().mean(),
                top1));
      }
    }
    return out;
  }

  private static Plot plot(
      Summary summary,
      String when,
      String against,
      String xLabel,
      ToDoubleFunction<Summary.Row> x,
      Function<Summary.Row, Spread> top1) {
    String title = String.format("Accuracy %s fine-tuning against %s", when, against);
    Plot.Builder plot = Plot.of(title, xLabel, summary.images() + " top-1, %").size(760, 520);
    boolean several = summary.rows().stream().map(Summary.Row::ratio).distinct().count() > 1;
    boolean iterated = summary.rows().stream().anyMatch(r -> r.iteration() > 1);
    for (String criterion : summary.ranking()) {
      // a line follows the iterations of one ratio, or the ratios of one step
      Map<String, List<Summary.Row>> lines = new LinkedHashMap<>();
      rows(summary, criterion)
          .forEach(
              r ->
                  lines.merge(
                      iterated && several ? criterion + ", ratio " + r.ratio() : criterion,
                      List.of(r),
                      (a, b) -> Stream.concat(a.stream(), b.stream()).toList()));
      lines.forEach(
          (name, rows) ->
              plot.line(
                  name,
                  values(rows, x),
                  values(rows, r -> top1.apply(r).mean()),
                  values(rows, r -> top1.apply(r).mean() - top1.apply(r).deviation()),
                  values(rows, r -> top1.apply(r).mean() + top1.apply(r).deviation())));
    }
    plot.reference("original", summary.baseline().after());
    return plot.description(
            String.format(
                Locale.ROOT,
                "%s accuracy %s fine-tuning of %d criteria; bars are one standard deviation over"
                    + " seeds; the original has %.2f %%. Best on average after everything: %s.",
                summary.images(),
                when,
                summary.ranking().size(),
                summary.baseline().after(),
                summary.ranking().get(0)))
        .build();
  }

  private static Stream<Summary.Row> rows(Summary summary, String criterion) {
    return summary.rows().stream().filter(r -> r.criterion().equals(criterion));
  }

  private static double[] values(List<Summary.Row> rows, ToDoubleFunction<Summary.Row> value) {
    return rows.stream().mapToDouble(value).toArray();
  }
}
