package dev.secateur.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.cli.Main;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.experiment.LatencyComparison;
import dev.secateur.experiment.LatencyComparison.Cell;
import dev.secateur.experiment.LatencyComparison.Method;
import dev.secateur.experiment.LatencyComparison.Result;
import dev.secateur.experiment.LatencyVerdict;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import dev.secateur.prune.Corners;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.latency.FakeLatency;
import dev.secateur.prune.latency.LatencyGoal;
import dev.secateur.prune.latency.LatencyModel;
import dev.secateur.prune.latency.Measured;
import dev.secateur.prune.latency.StepLatency;
import dev.secateur.prune.latency.Stopwatch;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs and comparisons with a latency to reach; times are made up. */
class LatencyRunTest {
  private static final Corners IMAGES = new Corners(96, 1, 16);
  private static final Model MODEL = Architectures.create("resnet8", 4, 1, 16, 1);
  private static final FakeLatency CLOCK = new FakeLatency(8, 0.05);
  private static final StepLatency SMOOTH = new FakeLatency(1, 0);

  @TempDir Path dir;

  private static Recipe recipe(Optional<Double> ratio, int iterations) {
    Recipe r =
        Recipe.DEFAULT
            .with("scoring.criterion", "l1")
            .with("scoring.samples", 96)
            .with("scoring.batch-size", 16)
            .with("hold-out", 0.25)
            .with("fine-tuning.epochs", 0)
            .with("stop.iterations", iterations);
    return ratio.isPresent() ? r.with("choice.pruning-ratio", ratio.get()) : r;
  }

  private static LatencyGoal goal(Object target) {
    return goal(target, Optional.empty());
  }

  private static LatencyGoal goal(Object target, Optional<Stopwatch> stopwatch) {
    Recipe r = Recipe.DEFAULT.with("stop.latency", target);
    return new LatencyGoal(r.stop().latency().orElseThrow(), CLOCK, stopwatch);
  }

  private PruneRun.Result run(String name, Recipe recipe, LatencyGoal goal, boolean resume)
      throws IOException {
    RunInputs inputs =
        new RunInputs(
            "m.sct",
            1,
            "corners",
            "cpu",
            "fp32",
            "test",
            Optional.empty(),
            Optional.empty(),
            Optional.empty());
    try (Device device = new CpuDevice()) {
      return PruneRun.prune(
          device,
          MODEL,
          IMAGES,
          recipe.with("stop.latency", goal.target()),
          Optional.of(goal),
          dir.resolve(name),
          inputs,
          Upkeep.usual(resume),
          ProgressListener.none(),
          i -> {});
    }
  }

  private double part(Path model) throws IOException {
    return LatencyModel.of(Models.load(model).graph(), CLOCK)
        / LatencyModel.of(MODEL.graph(), CLOCK);
  }

  @Test
  void oneIterationWithoutARateReachesTheTargetAtOnce() throws IOException {
    LatencyGoal goal = goal(0.6);
    PruneRun.Result r = run("once", recipe(Optional.empty(), 1), goal, false);
    assertEquals("latency", r.stoppedBy());
    double part = part(dir.resolve("once/model.sct"));
    assertTrue(part <= 0.6 && part > 0.4, "as little as reaches it: " + part);
  }

  @Test
  void whatTheTableLeavesOutIsMadeUpForByMeasuring() throws IOException {
    // every network has a tenth of the original's time that no step accounts for
    LatencyGoal goal =
        goal(
            0.7,
            Optional.of(
                (original, pruned) -> {
                  double sum = LatencyModel.of(original.graph(), CLOCK);
                  double ratio = (LatencyModel.of(pruned.graph(), CLOCK) / sum + 0.1) / 1.1;
                  return new Measured(ratio, ratio, ratio, ratio * sum);
                }));
    run("corrected", recipe(Optional.empty(), 1), goal, false);
    double part = part(dir.resolve("corrected/model.sct"));
    assertTrue((part + 0.1) / 1.1 <= 0.7 + 1e-9, "measured " + (part + 0.1) / 1.1);
    assertTrue(part > 0.45, "not much more than needed: " + part);
  }

  @Test
  void eachIterationSavesItsPartUntilTheTarget() throws IOException {
    double whole = LatencyModel.of(MODEL.graph(), CLOCK);
    LatencyGoal goal = goal(0.6 * whole + "ms");
    PruneRun.Result r = run("steps", recipe(Optional.of(0.15), 50), goal, false);
    assertEquals("latency", r.stoppedBy());
    int n = r.iterations().size() - 1;
    assertTrue(n >= 2, "more than one step: " + n);
    double before = 1;
    for (int i = 1; i <= n; i++) {
      double now = part(dir.resolve("steps/iter-0" + i + "/model.sct"));
      assertTrue(now <= Math.max(0.6, 0.85 * before) + 1e-9, now + " after " + before);
      before = now;
    }
    assertTrue(before <= 0.6 + 1e-9);
    assertTrue(part(dir.resolve("steps/iter-0" + (n - 1) + "/model.sct")) > 0.6);

    Path last = dir.resolve("steps/iter-0" + n);
    byte[] model = Files.readAllBytes(last.resolve("model.sct"));
    for (String file : List.of("model.sct", "metrics.json", "scores.json")) {
      Files.delete(last.resolve(file));
    }
    run("steps", recipe(Optional.of(0.15), 50), goal, true);
    assertArrayEquals(model, Files.readAllBytes(last.resolve("model.sct")), "as it was before");
  }

  @Test
  void whatCannotBeIsSaidBeforeAnythingIsWritten() {
    LatencyGoal goal = goal(0.001);
    String message =
        assertThrows(
                SecateurException.class,
                () -> run("never", recipe(Optional.empty(), 1), goal, false))
            .getMessage();
    assertTrue(message.startsWith("stop.latency 0.001 ("), message);
    assertTrue(message.contains("is out of reach: with all removed that may go, "), message);
    assertFalse(Files.exists(dir.resolve("never")));
  }

  // ---- the comparison --------------------------------------------------------------------------

  private static LatencyComparison.Settings settings(double target) {
    Recipe recipe =
        Recipe.DEFAULT
            .with("scoring.criterion", "l1")
            .with("scoring.samples", 48)
            .with("scoring.batch-size", 16)
            .with("stop.latency", target)
            .with("fine-tuning.samples", 32)
            .with("fine-tuning.batch-size", 16)
            .with("fine-tuning.schedule", "constant")
            .with("fine-tuning.weight-decay", 0)
            .with("fine-tuning.crop-padding", 0)
            .with("fine-tuning.flip", false);
    return new LatencyComparison.Settings(recipe, 8, 0.05);
  }

  /** Networks are slower than the table says: something that it does not know takes time too. */
  private static Measured measured(Model original, Model pruned) {
    double whole = LatencyModel.of(original.graph(), SMOOTH);
    double ms = LatencyModel.of(pruned.graph(), SMOOTH) + 0.3 * whole;
    double ratio = ms / (1.3 * whole);
    return new Measured(ratio, ratio, ratio, ms);
  }

  private Result compare(List<Long> seeds, List<String> measured) throws IOException {
    try (Device device = new CpuDevice()) {
      return new LatencyComparison(
              device,
              MODEL,
              IMAGES,
              IMAGES,
              settings(0.7),
              SMOOTH,
              (original, pruned) -> {
                measured.add("once");
                return measured(original, pruned);
              },
              ProgressListener.none())
          .run(
              seeds,
              dir.resolve("comparison"),
              Json.MAPPER.createObjectNode().put("name", "one"),
              c -> {});
    }
  }

  @Test
  void eachSelectionIsBroughtToTheMeasuredLatencyAndTheRestGoesOn() throws IOException {
    List<String> first = new ArrayList<>();
    Result whole = compare(List.of(1L, 2L), first);
    assertEquals(8, whole.cells().size());
    double target = 0;
    for (Cell c : whole.cells()) {
      target = c.method() == Method.ROUNDED ? c.measured().ratio() : target;
      assertEquals(0.7, target, 0.15, "the nearest of a few");
      assertEquals(target, c.measured().ratio(), 0.05 * target, c.toString());
      assertEquals((c.measured().ratio() * 1.3 - 0.3), c.predicted(), 1e-6);
      boolean rounded = c.widths().values().stream().allMatch(w -> w % 8 == 0);
      assertTrue(rounded || c.method() != Method.ROUNDED, c.toString());
      assertTrue(c.tuned() >= 0 && c.tuned() <= 100);
    }
    assertTrue(whole.cells().stream().anyMatch(c -> c.tries() > 1), "the table was corrected");

    Path lost = dir.resolve("comparison/cells/seed-2-plain.json");
    byte[] before = Files.readAllBytes(lost);
    Files.delete(lost);
    List<String> second = new ArrayList<>();
    Result again = compare(List.of(1L, 2L), second);
    assertArrayEquals(before, Files.readAllBytes(lost));
    assertEquals(whole.cells().toString(), again.cells().toString());
    assertEquals(whole.cells().get(5).tries(), second.size(), "only the lost one is measured");
  }

  private static Cell cell(long seed, Method method, double ratio, double tuned) {
    return new Cell(
        seed, method, ratio, new Measured(ratio, ratio, ratio, 1), 1, 1, 1, Map.of(), 0, tuned);
  }

  private static LatencyVerdict verdict(double[] knapsack, double[] plain, double ratio) {
    List<Cell> cells = new ArrayList<>();
    for (int i = 0; i < knapsack.length; i++) {
      cells.add(cell(i, Method.PLAIN, ratio, plain[i]));
      cells.add(cell(i, Method.ROUNDED, 0.6, 80));
      cells.add(cell(i, Method.SUMS, 0.6, knapsack[i]));
      cells.add(cell(i, Method.SHARES, 0.6, 70));
    }
    return new LatencyVerdict(new Result(0.6, 91, cells), 0.03);
  }

  @Test
  void theVerdictNeedsADifferenceThatIsMoreThanItsErrorAndTheSameLatency() {
    double[] plain = {88, 87.5, 88.2};
    double[] better = {89, 88.9, 89.1};
    LatencyVerdict clear = verdict(better, plain, 0.605);
    assertTrue(clear.beats(Method.SUMS, Method.PLAIN) && clear.beats(Method.SUMS, Method.ROUNDED));
    assertTrue(clear.text().startsWith("The knapsack of sums beat both."), clear.text());
    assertTrue(clear.text().contains("+1.10 points (standard error 0.15, higher in 3 of 3 seeds)"));
    assertTrue(clear.table().contains("| sums | 0.600 ± 0.000 |"), clear.table());

    LatencyVerdict worse = verdict(plain, better, 0.6);
    assertFalse(worse.beats(Method.SUMS, Method.PLAIN));
    assertTrue(worse.text().startsWith("The knapsack of sums did not beat both."), worse.text());
    assertTrue(worse.text().contains("it is worse"), worse.text());
    assertFalse(
        verdict(new double[] {88.4, 87.0, 88.6}, plain, 0.6).beats(Method.SUMS, Method.PLAIN),
        "noise");
    assertFalse(
        verdict(better, plain, 0.5).beats(Method.SUMS, Method.PLAIN), "the other is much faster");
    assertFalse(
        verdict(new double[] {89}, plain, 0.6).beats(Method.SUMS, Method.PLAIN), "one seed");
  }

  // ---- the command line ------------------------------------------------------------------------

  private void writeImages(String part) throws IOException {
    int n = IMAGES.size();
    ByteBuffer images = ByteBuffer.allocate(16 + n * 256);
    images.putInt(0x803).putInt(n).putInt(16).putInt(16);
    ByteBuffer labels = ByteBuffer.allocate(8 + n);
    labels.putInt(0x801).putInt(n);
    for (int i = 0; i < n; i++) {
      IMAGES.read(i, images, 16 + i * 256);
      labels.put((byte) IMAGES.label(i));
    }
    Files.write(dir.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(dir.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void theCommandsReachTheTargetByTheTable(String name) throws IOException {
    assumeTrue(name.equals("cpu") || TestCuda.emulated());
    Path model = dir.resolve("m.sct");
    Models.save(MODEL, model);
    writeImages("train");
    writeImages("t10k");
    String usual = System.getProperty("secateur.latency.cache");
    System.setProperty("secateur.latency.cache", dir.resolve("cache").toString());
    System.setProperty("secateur.bench.warmup", "0");
    try {
      try (Device device = name.equals("cpu") ? new CpuDevice() : TestCuda.open()) {
        CLOCK.fill(device, 2, MODEL.graph());
      }
      List<String> common =
          List.of(
              model.toString(),
              "--data",
              "idx:" + dir,
              "--device",
              name,
              "--math",
              "fp32",
              "--criterion",
              "l1",
              "--target-latency",
              "0.7",
              "--batch",
              "2",
              "--batch-size",
              "16",
              "-q");
      Path out = dir.resolve("run");
      assertEquals(0, command("prune", common, "--iterations", "1", "-o", out.toString()));
      JsonNode run = Json.MAPPER.readTree(out.resolve("run.json").toFile());
      assertEquals("latency", run.at("/outcome/stopped-by").asText());
      assertEquals(0.7, run.at("/recipe/stop/latency").asDouble());
      assertEquals(2, run.at("/recipe/stop/latency-batch").asInt());
      JsonNode latency = Json.MAPPER.readTree(out.resolve("latency.json").toFile());
      assertTrue(latency.get("predicted").asDouble() <= 0.7 + 1e-9);
      assertEquals(part(out.resolve("model.sct")), latency.get("predicted").asDouble(), 1e-3);
      assertTrue(latency.get("measured").get("ratio").asDouble() > 0);
      assertNotEquals(
          0,
          command(
              "prune", common, "--iterations", "1", "--resume", "--rate", "0.1", "-o", "" + out));

      Path compared = dir.resolve("compared");
      String[] more = {
        "--seeds", "1", "--tolerance", "0.9", "--finetune-epochs", "0", "-o", "" + compared
      };
      assertEquals(0, command("compare-latency", common, more));
      JsonNode json = Json.MAPPER.readTree(compared.resolve("comparison.json").toFile());
      assertEquals(4, json.get("result").get("cells").size());
      assertTrue(json.get("verdict").asText().contains("one seed says nothing"));
      assertTrue(Files.readString(compared.resolve("comparison.md")).contains("| shares |"));
    } finally {
      System.clearProperty("secateur.bench.warmup");
      if (usual == null) {
        System.clearProperty("secateur.latency.cache");
      } else {
        System.setProperty("secateur.latency.cache", usual);
      }
    }
  }

  private static int command(String name, List<String> common, String... more) {
    List<String> all = new ArrayList<>(List.of(name));
    all.addAll(common);
    all.addAll(List.of(more));
    return Main.execute(all.toArray(String[]::new));
  }
}
