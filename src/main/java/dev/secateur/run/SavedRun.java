package dev.secateur.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.prune.criterion.Criterion;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A run directory as it lies on disk, finished or not, also of an earlier version.
 *
 * @param record run.json
 * @param iterations the whole ones; 0 is the network as it came
 * @param command as it was typed; from version 0.1 on, of a finished run
 */
public record SavedRun(
    Path directory, RunRecord record, List<Iteration> iterations, Optional<String> command) {

  /**
   * One iteration.
   *
   * @param model its file
   * @param importance of its filters in the network before this iteration's removal; empty for
   *     iteration 0
   * @param time from version 0.1 on
   */
  public record Iteration(
      Path model, IterationMetrics metrics, Importance importance, Optional<RunTime> time) {}

  /**
   * @throws SecateurException for a directory that is no run, or a file in it that is damaged
   */
  public static SavedRun read(Path directory) throws IOException {
    Path file = directory.resolve("run.json");
    if (!Files.exists(file)) {
      throw new SecateurException(
          directory
              + (Files.exists(directory)
                  ? ": is no run directory: it has no run.json, which secateur prune writes"
                  : ": no such directory"));
    }
    RunRecord record = RunRecord.read(file);
    List<Iteration> iterations = new ArrayList<>();
    for (int i = 0; ; i++) {
      Path folder = RunDirectory.iteration(directory, i);
      if (!Files.exists(folder)) {
        break;
      }
      Path time = folder.resolve("time.json");
      iterations.add(
          new Iteration(
              present(folder.resolve("model.sct")),
              IterationMetrics.read(present(folder.resolve("metrics.json"))),
              importance(present(folder.resolve("scores.json"))),
              Files.exists(time) ? Optional.of(parse(time, RunTime.class)) : Optional.empty()));
    }
    if (iterations.isEmpty()) {
      throw new SecateurException(directory + ": has no iteration yet: resume the run");
    }
    Path command = directory.resolve("command.txt");
    return new SavedRun(
        directory,
        record,
        iterations,
        Files.exists(command) ? Optional.of(Files.readString(command).strip()) : Optional.empty());
  }

  /**
   * What the run scores by.
   *
   * @throws SecateurException for one that this version does not know
   */
  public Criterion criterion() {
    String name = iterations.get(iterations.size() - 1).importance().criterion();
    return Criteria.named(name, new Criteria.Settings(record.recipe().scoring().pls(), 1));
  }

  /** What ended the run; empty when it has not ended. */
  public Optional<String> stoppedBy() {
    return record.outcome().map(RunRecord.Outcome::stoppedBy);
  }

  /** The iteration that is the result; the last one of a run that has not ended. */
  public int chosen() {
    int last = iterations.size() - 1;
    int chosen = record.outcome().map(RunRecord.Outcome::chosenIteration).orElse(last);
    return Math.max(0, Math.min(last, chosen));
  }

  /** Held-out images in the plane of the first two components, where the run has them. */
  public Optional<Projections> projections() {
    Path file = directory.resolve("projection.json");
    return Files.exists(file) ? Optional.of(parse(file, Projections.class)) : Optional.empty();
  }

  private static Path present(Path file) {
    if (!Files.exists(file)) {
      throw new SecateurException(file + ": is missing; resume the run");
    }
    return file;
  }

  /** Runs from before there were several criteria have VIP without its name. */
  private static Importance importance(Path file) {
    JsonNode json = parse(file, JsonNode.class);
    JsonNode all =
        json.path("byFilter").isObject()
            ? json
            : Json.MAPPER
                .createObjectNode()
                .put("criterion", "pls-vip")
                .set("byFilter", json.path("vip"));
    try {
      return Json.MAPPER.treeToValue(all, Importance.class);
    } catch (JsonProcessingException e) {
      throw RunRecord.damaged(file, e);
    }
  }

  private static <T> T parse(Path file, Class<T> type) {
    try {
      return Json.MAPPER.readValue(file.toFile(), type);
    } catch (IOException e) {
      throw RunRecord.damaged(file, e);
    }
  }
}
