package dev.secateur.run;

import dev.secateur.SecateurException;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.train.EpochMetrics;
import dev.secateur.util.AtomicFile;
import dev.secateur.util.Folders;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a pruning run leaves on disk: {@code run.json}, {@code summary.csv} and, for each iteration,
 * {@code iter-NN/} with {@code model.sct}, {@code metrics.json}, {@code scores.json} and {@code
 * time.json}; {@code epochs.csv}; {@code chosen.json} where growing regularisation has chosen; at
 * the end {@code model.sct} and, where the criterion has components, {@code projection.json}. An
 * iteration's folder appears at once or not at all, so that a run killed at any moment goes on from
 * the last whole one.
 */
final class RunDirectory {
  private final Path dir;

  private RunDirectory(Path dir) {
    this.dir = dir;
  }

  /**
   * @param record what the run is; a resumed run must have the same inputs and recipe
   * @throws SecateurException when there is a run already that is not to be gone on with, or it is
   *     another run
   */
  static RunDirectory open(Path dir, RunRecord record, Upkeep upkeep) {
    Path file = dir.resolve("run.json");
    RunDirectory run = new RunDirectory(dir);
    if (Files.exists(file)) {
      if (!upkeep.resume()) {
        throw new SecateurException(
            dir + " holds a run already: resume it, or take another directory");
      }
      RunRecord earlier = RunRecord.read(file);
      earlier.requireSame(file, record);
      earlier.inputs().warnOfOther(record.inputs(), upkeep.warn());
    } else {
      if (Files.exists(dir) && !Files.isDirectory(dir)) {
        throw new SecateurException(dir + " is a file; expected a directory");
      }
      run.write(record);
    }
    return run;
  }

  void write(RunRecord record) {
    Json.write(dir.resolve("run.json"), record.tree());
  }

  void write(LatencyOutcome latency) {
    Json.write(dir.resolve("latency.json"), latency);
  }

  void writeResult(Model model) throws IOException {
    Models.save(model, dir.resolve("model.sct"));
  }

  void write(Projections both) {
    Json.write(dir.resolve("projection.json"), both);
  }

  /** The iterations that are whole, from 0 on. */
  int iterations() {
    int n = 0;
    while (Files.exists(iteration(n).resolve("metrics.json"))) {
      n++;
    }
    return n;
  }

  Path iteration(int number) {
    return iteration(dir, number);
  }

  /** Where a run keeps an iteration. */
  static Path iteration(Path run, int number) {
    return run.resolve(String.format(Locale.ROOT, "iter-%02d", number));
  }

  Model model(int number) throws IOException {
    return Models.load(iteration(number).resolve("model.sct"));
  }

  IterationMetrics metrics(int number) {
    return IterationMetrics.read(iteration(number).resolve("metrics.json"));
  }

  /** What the first removal takes, where it was chosen before a sparse training. */
  Optional<Pruner.Chosen> chosen() throws IOException {
    Path file = dir.resolve("chosen.json");
    return Files.exists(file)
        ? Optional.of(Json.MAPPER.readValue(file.toFile(), Pruner.Chosen.class))
        : Optional.empty();
  }

  void write(Pruner.Chosen chosen) {
    Json.write(dir.resolve("chosen.json"), chosen);
  }

  /** Where the iteration that is being made keeps what it has: gone once it is whole. */
  private Path part(int number) {
    return dir.resolve("." + iteration(number).getFileName() + ".part");
  }

  /** The state of an iteration's training. */
  Path checkpoint(int number) {
    return part(number).resolve("checkpoint.safetensors");
  }

  /** What an earlier start has removed in an iteration, where it came so far. */
  Optional<CutRecord> cut(int number) throws IOException {
    Path file = part(number).resolve("cut.json");
    return Files.exists(file)
        ? Optional.of(Json.MAPPER.readValue(file.toFile(), CutRecord.class))
        : Optional.empty();
  }

  /** The network that {@link #cut} is of. */
  Model cutModel(int number) throws IOException {
    return Models.load(part(number).resolve("cut.sct"));
  }

  void write(int number, CutRecord cut, Model model) throws IOException {
    Models.save(model, part(number).resolve("cut.sct"));
    Json.write(part(number).resolve("cut.json"), cut);
  }

  void writeEpochs(List<IterationMetrics> done, List<EpochMetrics> now) {
    EpochLog.write(dir.resolve("epochs.csv"), done, now);
  }

  void save(int number, Model model, IterationMetrics metrics, Importance importance, RunTime time)
      throws IOException {
    Path temporary = dir.resolve("." + iteration(number).getFileName() + ".tmp");
    Folders.delete(temporary);
    Models.save(model, temporary.resolve("model.sct"));
    Json.write(temporary.resolve("scores.json"), importance);
    Json.write(temporary.resolve("time.json"), time);
    Json.write(temporary.resolve("metrics.json"), metrics);
    Folders.delete(iteration(number)); // left by hand, without metrics
    Files.move(temporary, iteration(number), StandardCopyOption.ATOMIC_MOVE);
    Folders.delete(part(number));
  }

  void writeSummary(List<IterationMetrics> all) {
    StringBuilder csv = new StringBuilder();
    csv.append(
        "iteration,filters,dead_filters_removed,parameters,macs,heldout_after_pruning,heldout_top1,heldout_loss");
    csv.append('\n');
    for (IterationMetrics m : all) {
      csv.append(
          String.format(
              Locale.ROOT,
              "%d,%d,%d,%d,%d,%s,%s,%s%n",
              m.iteration(),
              m.filters(),
              m.dead().size(),
              m.parameters(),
              m.macs(),
              known("%.4f", m.afterPruning()),
              known("%.4f", m.accuracy()),
              known("%.6f", m.loss())));
    }
    AtomicFile.write(dir.resolve("summary.csv"), csv.toString());
  }

  /** Empty for what is not known, as without images. */
  private static String known(String format, double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, format, value);
  }
}
