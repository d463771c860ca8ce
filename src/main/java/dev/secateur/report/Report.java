package dev.secateur.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.io.Models;
import dev.secateur.nn.Graph;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.run.Projections;
import dev.secateur.run.SavedRun;
import dev.secateur.util.AtomicFile;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a run gained, as one self-contained page with plots, the plots as files, and the numbers as
 * JSON.
 */
public final class Report {
  private Report() {}

  /**
   * A part of the page.
   *
   * @param missing why there is nothing to see, where that is so
   */
  record Section(String id, String title, List<Figure> figures, Optional<String> missing) {
    static Section of(String id, String title, List<Figure> figures, String ifNone) {
      return new Section(
          id, title, figures, figures.isEmpty() ? Optional.of(ifNone) : Optional.empty());
    }
  }

  /**
   * Writes {@code report.html}, {@code report.json}, and each plot as {@code .svg} and {@code
   * .png}.
   *
   * @param timing of the run's networks, where it was measured
   * @param version Secateur's own
   * @throws dev.secateur.SecateurException for a model that is damaged, or where Java cannot draw
   */
  public static void write(SavedRun run, Optional<Timing> timing, Path folder, String version)
      throws IOException {
    Graph before = Models.load(run.iterations().get(0).model()).graph();
    Graph after = Models.load(run.iterations().get(run.chosen()).model()).graph();
    List<Section> sections = sections(run, timing, before, after);
    Files.createDirectories(folder);
    for (Section s : sections) {
      for (Figure f : s.figures()) {
        f.plot().writeSvg(folder.resolve(f.name() + ".svg"));
        f.plot().writePng(folder.resolve(f.name() + ".png"));
      }
    }
    AtomicFile.write(
        folder.resolve("report.json"), Json.MAPPER.writeValueAsString(json(run, timing, version)));
    AtomicFile.write(
        folder.resolve("report.html"), new Page(run, timing, sections, version).render());
  }

  private static List<Section> sections(
      SavedRun run, Optional<Timing> timing, Graph before, Graph after) {
    Figures figures = new Figures(run);
    boolean measured = run.iterations().get(0).metrics().measured();
    List<Figure> accuracy =
        new ArrayList<>(measured ? List.of(figures.accuracyByMacs()) : List.of());
    timing.ifPresent(
        t -> {
          if (measured) {
            accuracy.add(figures.accuracyByTime(t));
          }
          accuracy.add(figures.speedup(t));
        });
    Optional<Projections> projections = run.projections();
    return List.of(
        new Section(
            "accuracy",
            "Accuracy, MACs and milliseconds",
            accuracy,
            timing.isPresent() ? Optional.empty() : Optional.of("Milliseconds were not measured.")),
        Section.of(
            "widths",
            "Widths of the layers",
            figures.widths(before, after).map(List::of).orElse(List.of()),
            "No layer was scored and none became narrower."),
        Section.of(
            "scores",
            run.criterion().measure() + " by layer",
            figures.scores(),
            "Nothing has been scored: the run has no iteration yet."),
        Section.of(
            "pls",
            "PLS scores of images",
            projections.map(figures::projections).orElse(List.of()),
            run.criterion().projects()
                ? "The run has no projection.json: it has not ended, was made by an earlier version,"
                    + " or has fewer than two PLS components."
                : "Only runs with the criterion "
                    + Criteria.names().get(0)
                    + " have PLS scores; this one used "
                    + run.criterion().name()
                    + "."),
        Section.of(
            "training",
            "Training curves",
            figures.training(),
            "No fine-tuning: the run had none or has not come to it."));
  }

  private static ObjectNode json(SavedRun run, Optional<Timing> timing, String version) {
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("secateur", version);
    json.put("run", run.directory().toString());
    run.command().ifPresent(c -> json.put("command", c));
    json.set("run.json", run.record().tree());
    json.put("finished", run.stoppedBy().isPresent());
    json.put("chosenIteration", run.chosen());
    ArrayNode iterations = json.putArray("iterations");
    for (SavedRun.Iteration i : run.iterations()) {
      ObjectNode one = iterations.addObject();
      one.put("iteration", i.metrics().iteration());
      one.put("filters", i.metrics().filters());
      one.put("deadFiltersRemoved", i.metrics().dead().size());
      one.put("parameters", i.metrics().parameters());
      one.put("macs", i.metrics().macs());
      if (i.metrics().measured()) {
        one.put("heldOutAfterRemoval", i.metrics().afterPruning());
        one.put("heldOutTop1", i.metrics().accuracy());
        one.put("heldOutLoss", i.metrics().loss());
      }
      double threshold = Figures.threshold(i);
      if (Double.isFinite(threshold)) {
        one.put("highestScoreRemoved", threshold);
      }
      i.time().ifPresent(t -> one.set("time", Json.MAPPER.valueToTree(t)));
      one.set("epochs", Json.MAPPER.valueToTree(i.metrics().epochs()));
    }
    timing.ifPresent(t -> json.set("timing", Json.MAPPER.valueToTree(t)));
    return json;
  }
}
