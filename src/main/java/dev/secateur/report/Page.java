package dev.secateur.report;

import static j2html.TagCreator.*;

import dev.secateur.bench.Benchmark;
import dev.secateur.prune.Recipe;
import dev.secateur.run.IterationMetrics;
import dev.secateur.run.RunInputs;
import dev.secateur.run.RunRecord;
import dev.secateur.run.RunTime;
import dev.secateur.run.SavedRun;
import dev.secateur.util.Numbers;
import dev.secateur.util.Words;
import j2html.tags.DomContent;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The report as one HTML page that asks for nothing from elsewhere. */
final class Page {
  private final SavedRun run;
  private final Optional<Timing> timing;
  private final List<Report.Section> sections;
  private final String version;
  private final IterationMetrics first;
  private final IterationMetrics result;

  Page(SavedRun run, Optional<Timing> timing, List<Report.Section> sections, String version) {
    this.run = run;
    this.timing = timing;
    this.sections = sections;
    this.version = version;
    first = run.iterations().get(0).metrics();
    result = run.iterations().get(run.chosen()).metrics();
  }

  String render() throws IOException {
    String name = name();
    return "<!DOCTYPE html>\n"
        + html(
                head(
                    meta().withCharset("utf-8"),
                    meta().withName("viewport").withContent("width=device-width, initial-scale=1"),
                    meta().withName("color-scheme").withContent("light dark"),
                    title("Pruning report: " + name),
                    link().withRel("icon").withHref("data:,"),
                    style(rawHtml(Plot.css() + stylesheet()))),
                body(
                    a("Skip to the report").withHref("#report").withClass("skip"),
                    header(
                        p("Secateur " + version).withClass("over"),
                        h1("Pruning report: " + name),
                        contents()),
                    main(content()).withId("report"),
                    footer(
                        p(
                            text("Each plot lies beside this page as "),
                            code("NAME.svg"),
                            text(" and "),
                            code("NAME.png"),
                            text(", all numbers in "),
                            code("report.json"),
                            text(".")))))
            .withLang("en")
            .render();
  }

  private String name() {
    Path file = Path.of(run.record().inputs().model());
    return file.getFileName() == null ? file.toString() : file.getFileName().toString();
  }

  private static String stylesheet() throws IOException {
    try (InputStream in = Page.class.getResourceAsStream("report.css")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private DomContent contents() {
    List<DomContent> links = new ArrayList<>();
    links.add(li(a("Summary").withHref("#summary")));
    sections.forEach(s -> links.add(li(a(s.title()).withHref("#" + s.id()))));
    links.add(li(a("Environment").withHref("#environment")));
    links.add(li(a("Commands").withHref("#commands")));
    return nav(ul(links.toArray(DomContent[]::new))).attr("aria-label", "Contents");
  }

  private DomContent[] content() {
    List<DomContent> all = new ArrayList<>();
    all.add(summarySection());
    sections.forEach(s -> all.add(part(s)));
    all.add(environment());
    all.add(commands());
    return all.toArray(DomContent[]::new);
  }

  private static DomContent headed(String id, String title, List<DomContent> content) {
    List<DomContent> all = new ArrayList<>(List.of(h2(title).withId(id + "-h")));
    all.addAll(content);
    return section(all.toArray(DomContent[]::new)).withId(id).attr("aria-labelledby", id + "-h");
  }

  private DomContent summarySection() {
    List<DomContent> out = new ArrayList<>();
    out.add(p(sentence()).withClass("lead"));
    if (run.stoppedBy().isEmpty()) {
      out.add(
          p("The run has not ended: this is how far it is. It can be resumed.").withClass("note"));
    }
    if (timing.isPresent() && timing.get().unsteady()) {
      out.add(
          p("Other programs kept the machine busy while the milliseconds were measured: their"
                  + " middle half spreads over more than "
                  + (int) (100 * Benchmark.UNSTEADY)
                  + " % of the median. Do not rely on them.")
              .withClass("note"));
    }
    out.add(cards());
    out.add(iterations());
    out.add(
        p("Held-out images are a part of the training images that neither scoring nor fine-tuning"
                + " saw; the run decided on them. A network that was trained elsewhere has seen"
                + " them, so its own accuracy here is too high. For the test images see the"
                + " commands below.")
            .withClass("small"));
    return headed("summary", "Summary", out);
  }

  private String sentence() {
    long gone = first.filters() - result.filters();
    long dead =
        run.iterations().stream()
            .limit(run.chosen() + 1)
            .mapToLong(i -> i.metrics().dead().size())
            .sum();
    String begin =
        run.chosen() == 0
            ? "Nothing was removed: the result is the original network, with "
            : Numbers.format(
                "%s by %s removed %d of %d prunable filters%s: ",
                run.chosen() == 1 ? "One iteration" : run.chosen() + " iterations",
                run.criterion().title(),
                gone,
                first.filters(),
                dead == 0 ? "" : Numbers.format(" (%d dead, which change nothing)", dead));
    String accuracy =
        first.measured()
            ? Numbers.format(
                ", held-out %s %.2f %% to %.2f %% (%s points).",
                run.record().inputs().measure(),
                first.came(),
                result.accuracy(),
                Numbers.typeset(Numbers.format("%+.2f", result.accuracy() - first.came())))
            : "; there were no images to know accuracies by.";
    String cost =
        Numbers.format(
            "MACs %s to %s (%s), parameters %s to %s (%s)%s",
            Numbers.count(first.macs()),
            Numbers.count(result.macs()),
            Numbers.typeset(Numbers.change(first.macs(), result.macs())),
            Numbers.count(first.parameters()),
            Numbers.count(result.parameters()),
            Numbers.typeset(Numbers.change(first.parameters(), result.parameters())),
            accuracy);
    String time =
        resultRow()
            .map(
                r ->
                    Numbers.format(
                        " A batch of %d takes %.2f ms instead of %.2f ms on %s: %.2f times as fast"
                            + " (95 %% interval %.2f to %.2f), where MACs alone would say %.2f.",
                        r.batch(),
                        r.milliseconds(),
                        timing.orElseThrow().rows().get(0).milliseconds(),
                        timing.orElseThrow().device(),
                        r.speedup(),
                        r.speedupLow95(),
                        r.speedupHigh95(),
                        r.macsRatio()))
            .orElse("");
    return begin + cost + time;
  }

  private Optional<Benchmark.Row> resultRow() {
    return timing.flatMap(t -> t.of(run.chosen()));
  }

  private DomContent cards() {
    List<DomContent> all = new ArrayList<>();
    all.add(
        card(
            "MACs an image",
            Numbers.count(first.macs()),
            Numbers.count(result.macs()),
            Numbers.typeset(Numbers.change(first.macs(), result.macs()))));
    all.add(
        card(
            "Parameters",
            Numbers.count(first.parameters()),
            Numbers.count(result.parameters()),
            Numbers.typeset(Numbers.change(first.parameters(), result.parameters()))));
    if (first.measured()) {
      all.add(
          card(
              "Held-out " + run.record().inputs().measure(),
              Numbers.format("%.2f %%", first.came()),
              Numbers.format("%.2f %%", result.accuracy()),
              Numbers.typeset(Numbers.format("%+.2f", result.accuracy() - first.came()))
                  + " points"));
    }
    resultRow()
        .ifPresent(
            r ->
                all.add(
                    card(
                        "Batch of " + r.batch(),
                        Numbers.format(
                            "%.2f ms", timing.orElseThrow().rows().get(0).milliseconds()),
                        Numbers.format("%.2f ms", r.milliseconds()),
                        Numbers.format("%.2f times as fast", r.speedup()))));
    return dl(all.toArray(DomContent[]::new)).withClass("cards");
  }

  private static DomContent card(String name, String before, String after, String change) {
    return div(
        dt(name),
        dd(
            span(before).withClass("before"),
            span(" to ").withClass("to"),
            strong(after),
            span(change).withClass("change")));
  }

  private DomContent iterations() {
    List<String> headers =
        new ArrayList<>(
            List.of(
                "Iteration",
                "Filters",
                "Dead",
                "Parameters",
                "Change",
                "MACs",
                "Change",
                "After removal, %",
                "In the end, %"));
    timing.ifPresent(t -> headers.addAll(List.of("ms", "Times as fast")));
    List<List<String>> rows = new ArrayList<>();
    for (SavedRun.Iteration i : run.iterations()) {
      IterationMetrics m = i.metrics();
      List<String> row =
          new ArrayList<>(
              List.of(
                  m.iteration() + (m == result ? " (result)" : m == first ? " (original)" : ""),
                  Long.toString(m.filters()),
                  m == first ? "" : Integer.toString(m.dead().size()),
                  Numbers.count(m.parameters()),
                  m == first
                      ? ""
                      : Numbers.typeset(Numbers.change(first.parameters(), m.parameters())),
                  Numbers.count(m.macs()),
                  m == first ? "" : Numbers.typeset(Numbers.change(first.macs(), m.macs())),
                  m.measured() ? Numbers.format("%.2f", m.afterPruning()) : "",
                  m.measured() ? Numbers.format("%.2f", m.accuracy()) : ""));
      timing.ifPresent(
          t ->
              row.addAll(
                  t.of(m.iteration())
                      .map(
                          r ->
                              List.of(
                                  Numbers.format("%.2f", r.milliseconds()),
                                  Numbers.format("%.2f", r.speedup())))
                      .orElse(List.of("", ""))));
      rows.add(row);
    }
    return numbers(new Figure.Table("Iterations", headers, rows));
  }

  private static DomContent part(Report.Section s) {
    List<DomContent> out = new ArrayList<>();
    s.missing().ifPresent(why -> out.add(p(why).withClass("note")));
    if (!s.figures().isEmpty()) {
      boolean single = s.figures().size() == 1;
      out.add(
          div(s.figures().stream().map(f -> drawn(f, single)).toArray(DomContent[]::new))
              .withClass(single ? "figures single" : "figures"));
    }
    return headed(s.id(), s.title(), out);
  }

  /**
   * @param open whether the numbers show at once: there is room beside a single plot
   */
  private static DomContent drawn(Figure f, boolean open) {
    return figure(
            h3(f.plot().title()),
            rawHtml(f.plot().svg()),
            figcaption(f.caption()),
            details(summary("The numbers"), numbers(f.table())).condAttr(open, "open", ""))
        .withId("figure-" + f.name());
  }

  private static DomContent numbers(Figure.Table t) {
    return div(table(
            caption(t.caption()),
            thead(tr(each(t.headers(), h -> th(h).withScope("col")))),
            tbody(
                each(
                    t.rows(),
                    r ->
                        tr(
                            th(r.get(0)).withScope("row"),
                            each(r.subList(1, r.size()), c -> td(c)))))))
        .withClass("scroll")
        .withTabindex(0)
        .attr("role", "region")
        .attr("aria-label", t.caption());
  }

  private DomContent environment() {
    Map<String, String> all = new LinkedHashMap<>();
    RunInputs inputs = run.record().inputs();
    Recipe recipe = run.record().recipe();
    Optional<RunRecord.Outcome> outcome = run.record().outcome();
    all.put("Model", inputs.model());
    all.put("Data", inputs.data());
    all.put("Criterion", recipe.scoring().criterion());
    all.put("Seed", Long.toString(recipe.seed()));
    all.put("Stopped by", run.stoppedBy().map(s -> s.replace(",", ", ")).orElse("not yet"));
    all.put("Device", outcome.map(RunRecord.Outcome::device).orElse(inputs.device()));
    all.put("Computed in", inputs.math());
    outcome.ifPresent(
        o -> {
          all.putAll(o.libraries());
          Map<String, String> env = o.environment();
          if (!env.isEmpty()) {
            all.put("Java", env.get("java") + ", " + env.get("java-vendor"));
            all.put(
                "System",
                "%s, %s, %s processors"
                    .formatted(env.get("os"), env.get("architecture"), env.get("processors")));
          }
        });
    all.put("Secateur, of the run", inputs.secateur());
    all.put("Secateur, of this report", version);
    times().ifPresent(t -> all.put("Computed", t));
    timing.ifPresent(
        t -> {
          all.put("Milliseconds measured on", t.device() + ", " + t.math());
          all.put(
              "Measured with",
              t.runs()
                  + " batches of each network, in turn"
                  + (t.versions().isEmpty() ? "" : "; " + joined(t.versions())));
        });
    List<List<String>> rows =
        all.entrySet().stream()
            .filter(e -> !e.getValue().isBlank())
            .map(e -> List.of(e.getKey(), e.getValue()))
            .toList();
    return headed(
        "environment",
        "Environment",
        List.of(
            numbers(new Figure.Table("Environment", List.of("What", "Value"), rows)),
            details(summary("The recipe of the run"), pre(code(recipe.yaml())).withTabindex(0))));
  }

  private static String joined(Map<String, String> versions) {
    return String.join(
        ", ", versions.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).toList());
  }

  /** Of the iterations; what an interruption lost does not count. */
  private Optional<String> times() {
    List<RunTime> known = run.iterations().stream().flatMap(i -> i.time().stream()).toList();
    return known.isEmpty()
        ? Optional.empty()
        : Optional.of(
            Numbers.duration(known.stream().mapToDouble(RunTime::seconds).sum())
                + " from "
                + known.get(0).started().replaceAll("\\.\\d+", "")
                + " on");
  }

  private DomContent commands() {
    String folder = Words.quoted(run.directory().toString());
    String model = Words.quoted(run.directory().resolve("model.sct").toString());
    String original = Words.quoted(run.record().inputs().model());
    String data = Words.quoted(run.record().inputs().data());
    List<DomContent> out = new ArrayList<>();
    out.add(
        run.command().isPresent()
            ? p("The run, as it was typed:")
            : p("The run's command was not saved; its settings are above. It began with:"));
    out.add(
        pre(code(
                run.command()
                    .orElse("secateur prune " + original + " --data " + data + " -o " + folder)))
            .withTabindex(0));
    out.add(p("The test images, the milliseconds and this report again:"));
    out.add(
        pre(code(
                "secateur eval "
                    + model
                    + " --data "
                    + data
                    + "\nsecateur bench "
                    + original
                    + " "
                    + model
                    + timing.map(t -> " --batch " + t.batch() + " --runs " + t.runs()).orElse("")
                    + " --data "
                    + data
                    + "\nsecateur report "
                    + folder
                    + timing
                        .map(t -> " --batch " + t.batch() + " --runs " + t.runs())
                        .orElse(" --no-bench")))
            .withTabindex(0));
    return headed("commands", "Commands to repeat it", out);
  }
}
