package dev.secateur.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.cli.Main;
import dev.secateur.data.Corners;
import dev.secateur.prune.Recipe;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run directory that version 0.1 wrote, kept in src/test/resources. */
class EarlierRunTest {
  private static final Path KEPT = Path.of("src/test/resources/run/version-0.1");

  @TempDir Path dir;
  private Path run;

  @BeforeEach
  void copy() throws IOException {
    Corners.write(dir, 600, 100);
    run = dir.resolve("run");
    try (Stream<Path> all = Files.walk(KEPT)) {
      for (Path p : all.filter(Files::isRegularFile).toList()) {
        Path to = dir.resolve(KEPT.relativize(p).toString());
        Files.createDirectories(to.getParent());
        Files.copy(p, to);
      }
    }
    String json = Files.readString(run.resolve("run.json"));
    Files.writeString(
        run.resolve("run.json"),
        json.replace("tiny.sct", dir.resolve("tiny.sct").toString())
            .replace("idx:data", "idx:" + dir)
            .replace("0.1.0-SNAPSHOT", "development"));
  }

  private int prune(String... more) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "prune",
                dir.resolve("tiny.sct").toString(),
                "--data",
                "idx:" + dir,
                "--batch-size",
                "32",
                "--scope",
                "all",
                "--rate",
                "0.15",
                "--min-rate",
                "layer3.*=0.1",
                "--max-rate",
                "0.6",
                "--keep",
                "conv1",
                "--pool",
                "avg",
                "--iterations",
                "2",
                "--finetune-epochs",
                "2",
                "--lr",
                "0.02",
                "--schedule",
                "step",
                "-q",
                "--device",
                "cpu",
                "-o",
                run.toString(),
                "--resume"));
    words.addAll(List.of(more));
    return Main.execute(words.toArray(String[]::new));
  }

  private void cutOff() throws IOException {
    for (String file : List.of("model.sct", "metrics.json", "scores.json", "time.json")) {
      Files.delete(run.resolve("iter-02").resolve(file));
    }
    for (String file : List.of("iter-02", "model.sct", "projection.json", "command.txt")) {
      Files.delete(run.resolve(file));
    }
  }

  @Test
  void itsSettingsAreReadAsARecipe() throws IOException {
    SavedRun saved = SavedRun.read(run);
    Recipe recipe = saved.record().recipe();
    assertEquals(
        Recipe.DEFAULT
            .with("choice.dead-filters", "rank")
            .with("choice.scope", "all")
            .with("choice.keep", List.of("conv1"))
            .with("choice.min-pruning-ratio", Map.of("layer3.*", 0.1))
            .with("choice.max-pruning-ratio", Map.of("*", 0.6))
            .with("choice.pruning-ratio", 0.15)
            .with("stop.iterations", 2)
            .with("scoring.pool", "avg")
            .with("scoring.features", "convolution")
            .with("scoring.scale", "unit")
            .with("scoring.weighting", "none")
            .with("scoring.samples", 10_000)
            .with("scoring.batch-size", 32)
            .with("fine-tuning.batch-size", 32)
            .with("fine-tuning.epochs", 2)
            .with("fine-tuning.lr", 0.02)
            .with("fine-tuning.schedule", "step")
            .with("fine-tuning.weight-decay", 5e-4)
            .with("fine-tuning.decay-norms", true)
            .with("fine-tuning.bn-recalibration", 0),
        recipe);
    assertEquals("iterations", saved.stoppedBy().orElseThrow());
    assertEquals(2, saved.chosen());
    assertEquals(1094917404L, saved.record().inputs().modelCrc32());
    assertEquals("fp32", saved.record().inputs().math());
  }

  @Test
  void itGoesOnWithTheCommandThatBeganIt() throws IOException {
    Path there = run.resolve("iter-02/metrics.json");
    JsonNode before = Json.MAPPER.readTree(there.toFile());
    cutOff();
    assertEquals(1, prune("--weight-decay", "1e-4"), "other settings are no resume");
    assertEquals(0, prune("--weight-decay", "5e-4"), "whatever the defaults have become");
    JsonNode after = Json.MAPPER.readTree(there.toFile());
    for (String same : List.of("iteration", "filters")) {
      assertEquals(before.get(same), after.get(same), same);
    }
    JsonNode json = Json.MAPPER.readTree(run.resolve("run.json").toFile());
    assertFalse(json.has("config"), "it is a run of today now");
    assertEquals(0.15, json.at("/recipe/choice/pruning-ratio").asDouble());
    assertEquals("iterations", json.at("/outcome/stopped-by").asText());
  }

  private static String[] with(String[] words, String last) {
    String[] out = java.util.Arrays.copyOf(words, words.length + 1);
    out[words.length] = last;
    return out;
  }

  @Test
  void itHasAReport() throws IOException {
    Path out = dir.resolve("report");
    assertEquals(
        0, Main.execute("report", run.toString(), "--no-bench", "-q", "-o", out.toString()));
    String page = Files.readString(out.resolve("report.html"));
    assertTrue(page.contains("OpenBLAS") && page.contains("pls-vip"), "what its run.json says");
    assertTrue(page.contains("2 iterations by PLS and VIP removed"), "and its iterations");
  }
}
