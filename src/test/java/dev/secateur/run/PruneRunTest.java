package dev.secateur.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.cli.Main;
import dev.secateur.data.Corners;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs of the main job on a small data set made here. */
class PruneRunTest {
  @TempDir Path dir;
  private Path model;

  @BeforeEach
  void makeDataAndModel() throws IOException {
    Corners.write(dir, 600, 100);
    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 4, 1, 16, 1), model);
  }

  private List<String> arguments(Path out, String... more) {
    List<String> a =
        new ArrayList<>(
            List.of(
                "prune",
                model.toString(),
                "--data",
                "idx:" + dir,
                "--batch-size",
                "32",
                "--lr",
                "0.05",
                "-q",
                "-o",
                out.toString()));
    a.addAll(List.of(more));
    return a;
  }

  private static int run(List<String> arguments) {
    return Main.execute(arguments.toArray(String[]::new));
  }

  /** The command in a process of its own, whose words go to a file named log. */
  private Process start(List<String> arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "dev.secateur.cli.Main"));
    command.addAll(arguments);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(dir.resolve("log").toFile())
        .start();
  }

  /** SIGTERM in the middle of an epoch: the state is kept, and the run goes on from there. */
  @Test
  void aRunThatIsAskedToStopKeepsItsStateAndGoesOn() throws Exception {
    String[] size = {"--iterations", "2", "--finetune-epochs", "6", "--checkpoint-every", "0.0001"};
    Path whole = dir.resolve("whole");
    assertEquals(0, run(arguments(whole, size)));

    Path stopped = dir.resolve("stopped");
    Path state = stopped.resolve(".iter-02.part/checkpoint.safetensors");
    Process p = start(arguments(stopped, size));
    while (p.isAlive() && !Files.exists(state)) {
      Thread.sleep(2);
    }
    p.destroy(); // SIGTERM
    assertTrue(p.waitFor(30, TimeUnit.SECONDS));
    String log = Files.readString(dir.resolve("log"));
    assertEquals(75, p.exitValue(), log);
    assertEquals(1, log.strip().lines().count(), log);
    assertTrue(log.startsWith("secateur: stopped; go on with: secateur prune "), log);
    assertTrue(log.strip().endsWith("--resume"), log);
    assertTrue(Files.exists(state));
    assertTrue(Files.exists(stopped.resolve("iter-01")));
    assertFalse(Files.exists(stopped.resolve("iter-02")));

    List<String> words = List.of(log.strip().replaceFirst(".*: secateur ", "").split(" "));
    assertEquals(0, run(words), "the command that was told");
    for (String file : List.of("model.sct", "iter-02/model.sct", "iter-02/scores.json")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(stopped.resolve(file)), file);
    }
    assertFalse(Files.exists(state.getParent()), "what is done needs no state");
    List<String> epochs = epochs(whole);
    assertEquals(1 + 2 * 6, epochs.size(), epochs.toString());
    assertEquals(
        "iteration,epoch,learning_rate,loss,training_top1,heldout_top1,heldout_loss",
        epochs.get(0));
    assertTrue(epochs.get(1).startsWith("1,1,") && epochs.get(12).startsWith("2,6,"));
    assertEquals(epochs, epochs(stopped), "epochs.csv");
  }

  /** SIGTERM within the sparse training; what was chosen before it is what goes. */
  @Test
  void aSparseTrainingThatIsAskedToStopGoesOn() throws Exception {
    String[] how = {
      "--sparse",
      "growing",
      "--sparse-epochs",
      "6",
      "--pruning-ratio",
      "0.25",
      "--finetune-epochs",
      "0",
      "--checkpoint-every",
      "0.0001"
    };
    Path whole = dir.resolve("whole");
    assertEquals(0, run(arguments(whole, how)));
    Path stopped = dir.resolve("stopped");
    Path state = stopped.resolve(".iter-00.part/checkpoint.safetensors");
    Process p = start(arguments(stopped, how));
    while (p.isAlive() && !Files.exists(state)) {
      Thread.sleep(2);
    }
    p.destroy(); // SIGTERM
    assertTrue(p.waitFor(30, TimeUnit.SECONDS));
    assertEquals(75, p.exitValue(), Files.readString(dir.resolve("log")));
    assertTrue(Files.exists(state));
    assertFalse(Files.exists(stopped.resolve("iter-00")));
    assertEquals(0, run(with(arguments(stopped, how), "--resume")));
    for (String file :
        List.of("model.sct", "iter-00/model.sct", "iter-01/model.sct", "chosen.json")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(stopped.resolve(file)), file);
    }
    List<String> epochs = epochs(whole);
    assertEquals(1 + 6, epochs.size(), epochs.toString());
    assertTrue(epochs.get(1).startsWith("0,1,") && epochs.get(6).startsWith("0,6,"));
    assertEquals(epochs, epochs(stopped), "epochs.csv");
    JsonNode chosen = Json.MAPPER.readTree(whole.resolve("chosen.json").toFile());
    JsonNode gone = Json.MAPPER.readTree(whole.resolve("iter-01/metrics.json").toFile());
    assertEquals(chosen.get("removal"), gone.get("removed"));
    JsonNode first = Json.MAPPER.readTree(whole.resolve("iter-00/metrics.json").toFile());
    assertEquals(6, first.get("epochs").size());
    assertEquals(0, first.get("removed").size());
  }

  /** Lines of epochs.csv without times. */
  private static List<String> epochs(Path run) throws IOException {
    List<String> out = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("epochs.csv"))) {
      String[] c = line.split(",", -1);
      assertEquals(9, c.length, line);
      out.add(String.join(",", c[0], c[1], c[3], c[4], c[5], c[6], c[7]));
    }
    return out;
  }

  /** Both begin anew where there is nothing to go on with, and with a state in the way only so. */
  @Test
  void aTrainingGoesOnWithItsState() throws Exception {
    Path whole = dir.resolve("whole.sct");
    Path stopped = dir.resolve("stopped.sct");
    String[] how = {
      "resnet8",
      "--data",
      "idx:" + dir,
      "--epochs",
      "8",
      "--batch-size",
      "32",
      "--log",
      dir.resolve("log.csv").toString(),
      "-q",
      "--resume",
      "--checkpoint-every",
      "0.0001",
      "-o"
    };
    List<String> train = new ArrayList<>(List.of("train"));
    train.addAll(List.of(how));
    Process p = start(with(new ArrayList<>(train), stopped.toString()));
    while (p.isAlive() && !Files.exists(dir.resolve("stopped.sct.checkpoint"))) {
      Thread.sleep(2);
    }
    p.destroyForcibly(); // SIGKILL: what was kept before it counts
    assertTrue(p.waitFor(20, TimeUnit.SECONDS));
    assertEquals(137, p.exitValue(), Files.readString(dir.resolve("log")));
    List<String> anew = with(new ArrayList<>(train), stopped.toString());
    anew.remove("--resume");
    assertEquals(1, run(anew), "a state in the way");
    assertEquals(0, run(with(new ArrayList<>(train), stopped.toString())));
    assertFalse(Files.exists(dir.resolve("stopped.sct.checkpoint")));
    assertEquals(0, run(with(new ArrayList<>(train), whole.toString())));
    var want = Models.load(whole).parameters();
    var got = Models.load(stopped).parameters();
    want.forEach((n, t) -> assertArrayEquals(t.data(), got.get(n).data(), n));
    assertEquals(9, Files.readAllLines(dir.resolve("log.csv")).size());
  }

  @Test
  void aRunKilledInTheMiddleAndResumedEndsAsAnUninterruptedOne() throws Exception {
    Path whole = dir.resolve("whole");
    String[] size = {"--iterations", "4", "--finetune-epochs", "12"};
    assertEquals(0, run(arguments(whole, size)));

    Path killed = dir.resolve("killed");
    Process p = start(arguments(killed, size));
    while (p.isAlive() && !Files.exists(killed.resolve("iter-01"))) {
      Thread.sleep(5);
    }
    Thread.sleep(20);
    p.destroyForcibly(); // SIGKILL
    assertTrue(p.waitFor(20, TimeUnit.SECONDS));
    assertEquals(
        137, p.exitValue(), "killed, not finished: " + Files.readString(dir.resolve("log")));
    assertFalse(Files.exists(killed.resolve("iter-04")), "killed in the middle");

    assertEquals(1, run(arguments(killed, size)), "a run in the way is not overwritten");
    assertEquals(
        1,
        run(arguments(killed, "--resume", "--iterations", "4", "--finetune-epochs", "3")),
        "other settings are no resume");
    List<String> resume = arguments(killed, size);
    resume.add("--resume");
    assertEquals(0, run(resume));
    for (String file :
        List.of(
            "model.sct",
            "iter-04/model.sct",
            "iter-02/scores.json",
            "projection.json",
            "run.json")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(killed.resolve(file)), file);
    }
    assertEquals(
        Files.readString(whole.resolve("summary.csv")),
        Files.readString(killed.resolve("summary.csv")));
  }

  @Test
  void theCriterionIsKeptWithTheRunAndItsScores() throws IOException {
    Path out = dir.resolve("criterion");
    String[] random = {"--criterion", "random", "--iterations", "3", "--finetune-epochs", "0"};
    assertEquals(0, run(arguments(out, random)));
    JsonNode scores = Json.MAPPER.readTree(out.resolve("iter-02/scores.json").toFile());
    assertEquals("random", scores.get("criterion").asText());
    JsonNode earlier = Json.MAPPER.readTree(out.resolve("iter-01/scores.json").toFile());
    assertNotEquals(
        earlier.get("byFilter").get("layer3.0.conv1").get(0),
        scores.get("byFilter").get("layer3.0.conv1").get(0),
        "each iteration draws anew");
    random[1] = "l1";
    List<String> other = arguments(out, random);
    other.add("--resume");
    assertEquals(1, run(other), "another criterion is no resume");
  }

  @Test
  void aRunEndsAtTheMacsAskedFor() throws IOException {
    Path out = dir.resolve("macs");
    assertEquals(
        0,
        run(
            arguments(
                out, "--target-macs", "0.6", "--pruning-ratio", "0.2", "--finetune-epochs", "0")));
    JsonNode run = Json.MAPPER.readTree(out.resolve("run.json").toFile());
    assertEquals("macs", run.at("/outcome/stopped-by").asText());
    List<String> rows = Files.readAllLines(out.resolve("summary.csv"));
    double first = macs(rows.get(1));
    assertTrue(macs(rows.get(rows.size() - 1)) <= 0.6 * first);
    assertTrue(macs(rows.get(rows.size() - 2)) > 0.6 * first, "not one iteration more");
  }

  @Test
  void oneIterationWithATargetAndNoRateRemovesWhatReachesIt() throws IOException {
    Path out = dir.resolve("once");
    String[] once = {"--iterations", "1", "--finetune-epochs", "0", "--scope", "all"};
    assertEquals(
        1, run(with(arguments(out, once), "--target-macs", "0.001")), "out of reach, and says so");
    assertFalse(Files.exists(out), "before anything is written");
    assertEquals(0, run(with(arguments(out, once), "--target-macs", "0.6")));
    List<String> rows = Files.readAllLines(out.resolve("summary.csv"));
    double share = macs(rows.get(2)) / macs(rows.get(1));
    assertTrue(share <= 0.6 && share > 0.5, "as few as reach it: " + share);
    assertEquals("macs", runJson(out).at("/outcome/stopped-by").asText());
  }

  @Test
  void aResumedRunKeepsItsScopeAndConstraints() throws IOException {
    String[] two = {
      "--scope",
      "all",
      "--round-to",
      "4",
      "--keep",
      "layer3.*",
      "--max-pruning-ratio",
      "0.5",
      "--pruning-ratio",
      "0.2",
      "--finetune-epochs",
      "0",
      "--iterations",
      "2"
    };
    Path whole = dir.resolve("whole");
    assertEquals(0, run(arguments(whole, two)));
    Path half = dir.resolve("half");
    assertEquals(0, run(arguments(half, two)));
    for (String file : List.of("model.sct", "metrics.json", "scores.json", "time.json")) {
      Files.delete(half.resolve("iter-02").resolve(file));
    }
    Files.delete(half.resolve("iter-02"));
    assertEquals(1, run(with(arguments(half, two), "--resume", "--keep", "conv1")));
    String[] paper = {
      "--pruning-ratio", "0.2", "--finetune-epochs", "0", "--iterations", "2", "--resume"
    };
    assertEquals(0, run(arguments(half, paper)), "what is not said again is as it began");
    for (String file : List.of("model.sct", "iter-02/metrics.json", "iter-02/scores.json")) {
      assertArrayEquals(
          Files.readAllBytes(whole.resolve(file)), Files.readAllBytes(half.resolve(file)), file);
    }
    dev.secateur.nn.Graph graph = Models.load(half.resolve("model.sct")).graph();
    for (String layer : List.of("layer3.0.conv1", "layer3.0.conv2")) {
      assertEquals(64, graph.shape(layer).dim(1));
    }
    assertEquals(0, graph.shape("layer2.0.conv1").dim(1) % 4);
    assertTrue(graph.shape("layer2.0.conv1").dim(1) >= 16);
  }

  private static List<String> with(List<String> arguments, String... more) {
    arguments.addAll(List.of(more));
    return arguments;
  }

  private static JsonNode runJson(Path out) throws IOException {
    return Json.MAPPER.readTree(out.resolve("run.json").toFile());
  }

  @Test
  void aRunThatCostsTooMuchAccuracyKeepsTheIterationBefore() throws IOException {
    Path trained = dir.resolve("trained.sct");
    assertEquals(
        0,
        run(
            List.of(
                "train",
                "resnet8",
                "--data",
                "idx:" + dir,
                "--epochs",
                "6",
                "--batch-size",
                "32",
                "--lr",
                "0.05",
                "--no-flip",
                "--crop-padding",
                "1",
                "-q",
                "-o",
                trained.toString())));
    model = trained;
    Path out = dir.resolve("drop");
    assertEquals(
        0,
        run(arguments(out, "--max-drop", "5", "--pruning-ratio", "0.3", "--finetune-epochs", "0")));
    JsonNode run = Json.MAPPER.readTree(out.resolve("run.json").toFile());
    assertEquals("max-drop", run.at("/outcome/stopped-by").asText());
    String[] rows = Files.readAllLines(out.resolve("summary.csv")).toArray(String[]::new);
    int chosen = run.at("/outcome/chosen-iteration").asInt();
    assertEquals(rows.length - 3, chosen, Arrays.toString(rows));
    assertTrue(top1(rows[1]) > 90, "it has learned: " + rows[1]);
    assertTrue(top1(rows[1]) - top1(rows[chosen + 1]) <= 5);
    assertTrue(top1(rows[1]) - top1(rows[chosen + 2]) > 5);
    assertArrayEquals(
        Files.readAllBytes(out.resolve("iter-0" + chosen).resolve("model.sct")),
        Files.readAllBytes(out.resolve("model.sct")));

    Path ruined = dir.resolve("ruined");
    String[] sparse = {"--sparse", "bn-scale", "--sparse-strength", "9", "--sparse-epochs", "1"};
    assertEquals(
        0, run(with(arguments(ruined, sparse), "--max-drop", "5", "--finetune-epochs", "0")));
    assertEquals("max-drop", runJson(ruined).at("/outcome/stopped-by").asText());
    assertEquals(2, Files.readAllLines(ruined.resolve("summary.csv")).size() - 1, "one removal");
    var came = Models.load(trained).parameters();
    Models.load(ruined.resolve("model.sct"))
        .parameters()
        .forEach((n, t) -> assertArrayEquals(came.get(n).data(), t.data(), "as it came: " + n));
  }

  /** Gradual pruning: one course of the rate, an epoch a removal, more after the last. */
  @Test
  void theLastRemovalIsFollowedByMoreEpochs() throws IOException {
    Path out = dir.resolve("gradual");
    String[] gradual = {
      "--iterations",
      "3",
      "--pruning-ratio",
      "0.1",
      "--finetune-epochs",
      "1",
      "--recovery-epochs",
      "2",
      "--schedule-span",
      "run"
    };
    assertEquals(0, run(arguments(out, gradual)));
    List<String> epochs = epochs(out);
    assertEquals(1 + 3 + 2, epochs.size(), epochs.toString());
    assertTrue(epochs.get(3).startsWith("3,1,") && epochs.get(5).startsWith("3,3,"));
    double before = 1;
    for (String line : epochs.subList(1, 6)) {
      double rate = Double.parseDouble(line.split(",")[2]);
      assertTrue(rate < before, "one cosine: " + epochs);
      before = rate;
    }
  }

  @Test
  void aFullDiskLeavesTheEarlierModel() throws IOException {
    Path full = Path.of("/dev/full");
    org.junit.jupiter.api.Assumptions.assumeTrue(Files.exists(full), "no /dev/full: skipped");
    byte[] before = Files.readAllBytes(model);
    dev.secateur.SecateurException e =
        org.junit.jupiter.api.Assertions.assertThrows(
            dev.secateur.SecateurException.class,
            () ->
                dev.secateur.util.AtomicFile.write(
                    model,
                    out -> {
                      // the file system's own error, not one made up here
                      try (OutputStream disk = Files.newOutputStream(full)) {
                        disk.write(new byte[1 << 20]);
                      }
                    }));
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertArrayEquals(before, Files.readAllBytes(model));
  }

  private static double macs(String row) {
    return Double.parseDouble(row.split(",")[4]);
  }

  private static double top1(String row) {
    return Double.parseDouble(row.split(",")[6]);
  }
}
