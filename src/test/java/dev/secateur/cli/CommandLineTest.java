package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a person at the terminal is promised: results, one line for each mistake, exit codes. */
class CommandLineTest {
  private static final Path SHARED = Path.of("..", "shared", "data");
  @TempDir Path dir;

  private static Path shared(String name) {
    Path p = SHARED.resolve(name);
    Assumptions.assumeTrue(Files.exists(p), p + " is absent: skipped");
    return p;
  }

  @ParameterizedTest
  @CsvSource({"resnet20, resnet20-12fca82f.th, 91.73", "resnet56, resnet56-4bfd9763.th, 93.39"})
  void publishedAccuraciesAreReached(String architecture, String file, double top1)
      throws IOException {
    Path model = shared("pretrained/" + file);
    Path data = shared("cifar10-bin");
    Cli.Result r =
        run(
            "eval",
            model,
            "--arch",
            architecture,
            "--data",
            "cifar10:" + data,
            "--batch-size",
            "96",
            "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(10_000, json.get("images").asInt());
    assertEquals(top1, json.get("top1").asDouble(), 0.02);
  }

  @Test
  void aStateDictOfAnotherNetworkNamesTheTensorsThatDiffer() {
    Path model = shared("pretrained/resnet56-4bfd9763.th");
    Path data = shared("cifar10-bin");
    Cli.Result r = run("eval", model, "--arch", "resnet20", "--data", "cifar10:" + data);
    fails(1, "tensors differ: layer", r);
  }

  @Test
  void aStateDictNeedsAnArchitecture() {
    Path model = shared("pretrained/resnet20-12fca82f.th");
    fails(1, "add --arch", run("eval", model, "--data", "cifar10:" + dir));
  }

  @Test
  void truncatedStateDictsAreNamed() throws IOException {
    byte[] whole = Files.readAllBytes(shared("pretrained/resnet20-12fca82f.th"));
    Path file = dir.resolve("cut.th");
    for (int length : new int[] {1, 2, 40, 500, 5_000, 50_000, whole.length - 1}) {
      Files.write(file, java.util.Arrays.copyOf(whole, length));
      Cli.Result r = run("eval", file, "--arch", "resnet20", "--data", "cifar10:" + dir);
      fails(1, file.toString(), r);
      assertFalse(r.err().contains("internal error"), r.err());
    }
  }

  @Test
  void aPickleThatWantsOsIsRefused() throws IOException {
    byte[] evil = "cos\nsystem\n(S'touch /tmp/secateur-evil'\ntR.".getBytes(StandardCharsets.UTF_8);
    Path legacy = dir.resolve("evil.th");
    Files.write(legacy, evil);
    Path zip = dir.resolve("evil.pt");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
      out.putNextEntry(new ZipEntry("evil/data.pkl"));
      out.write(evil);
    }
    for (Path p : new Path[] {legacy, zip}) {
      Cli.Result r = run("eval", p, "--arch", "resnet20", "--data", "cifar10:" + dir);
      fails(1, p + ": refuses to load os.system", r);
    }
    assertFalse(Files.exists(Path.of("/tmp/secateur-evil")));
  }

  @Test
  void aCifarFileOfWrongLengthIsNamed() throws IOException {
    Path model = shared("pretrained/resnet20-12fca82f.th");
    Files.write(dir.resolve("test_batch.bin"), new byte[3074]);
    Cli.Result r = run("eval", model, "--arch", "resnet20", "--data", "cifar10:" + dir);
    fails(1, "test_batch.bin: 3074 bytes; expected a multiple of 3073", r);
  }

  @Test
  void missingFilesAreNamed() {
    Path model = dir.resolve("nothing.th");
    Cli.Result r = run("eval", model, "--arch", "resnet20", "--data", "cifar10:" + dir);
    fails(1, "no such file: " + model, r);
  }

  @Test
  void wrongUsageIsToldInOneLine() {
    fails(2, "unknown command 'evl'; did you mean eval", run("evl"));
    fails(2, "tpu", run("doctor", "--device", "tpu"));
    fails(2, "'fp8': expected auto, fp32, tf32, fp16 or bf16", run("doctor", "--math", "fp8"));
    fails(2, "--data", run("eval", "x.th"));
  }

  @Test
  void pruningRemovesTheAskedShareAndTheResultEvaluates() throws IOException {
    Path model = shared("pretrained/resnet20-12fca82f.th");
    String data = "cifar10:" + shared("cifar10-bin");
    Path pruned = dir.resolve("pruned.sct");
    Cli.Result r =
        run(
            "prune",
            model,
            "--arch",
            "resnet20",
            "--data",
            data,
            "--samples",
            "500",
            "--rate",
            "0.1",
            "--finetune-epochs",
            0,
            "-q",
            "-o",
            pruned,
            "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out()).get("iterations");
    assertEquals(336, json.get(0).get("filters").asInt());
    int dead = 0;
    for (JsonNode of : json.get(1).get("dead")) {
      dead += of.size();
    }
    assertTrue(dead >= 12, "filters of this network that never fire: " + dead);
    int left = 336 - dead;
    assertEquals(left - left / 10, json.get(1).get("filters").asInt(), "a tenth of the others");
    assertTrue(json.get(1).get("parameters").asLong() < json.get(0).get("parameters").asLong());
    Cli.Result e = run("eval", pruned.resolve("model.sct"), "--data", data, "--json");
    assertEquals(0, e.code(), e.err());
    assertTrue(Json.MAPPER.readTree(e.out()).get("top1").asDouble() > 30, e.out());
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "-0.1", "1.5", "NaN"})
  void ratesOutsideTheOpenUnitIntervalAreWrongUsage(String rate) {
    Path out = dir.resolve("x.sct");
    Cli.Result r = run("prune", "m.th", "--data", "cifar10:x", "--rate", rate, "-o", out);
    fails(2, "expected a number greater than 0 and less than 1", r);
    assertFalse(Files.exists(out));
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "-0.1", "1.5", "NaN", "0ms", "ms", "fastms", "Infinityms", "10%"})
  void latenciesThatAreNonePartAndNoTimeAreWrongUsage(String latency) {
    for (String command : List.of("prune", "compare-latency")) {
      Path out = dir.resolve("x");
      Cli.Result r =
          run(command, "m.th", "--data", "cifar10:x", "--target-latency", latency, "-o", out);
      fails(2, "'" + latency + "': expected a part of the original's time between 0 and 1", r);
      assertFalse(Files.exists(out));
    }
  }

  @Test
  void aLatencyGoesAloneAndIsComparedAsAPart() {
    String[] usual = {"m.th", "--data", "cifar10:x", "-o", dir.resolve("x").toString()};
    List<Object> prune = new ArrayList<>(List.of("prune"));
    prune.addAll(List.of(usual));
    prune.addAll(List.of("--target-latency", "0.6", "--target-macs", "0.5"));
    fails(2, "--target-latency and --target-macs: only one of them", run(prune.toArray()));
    List<Object> compare = new ArrayList<>(List.of("compare-latency"));
    compare.addAll(List.of(usual));
    fails(2, "Missing required argument(s): (--target-latency=", run(compare.toArray()));
    compare.addAll(List.of("--target-latency", "3ms"));
    fails(2, "--target-latency: expected a part of the original's", run(compare.toArray()));
  }

  @Test
  void anUnknownCriterionIsToldWithAllThatThereAre() {
    String all = String.join(", ", Criteria.names());
    for (String command : List.of("score", "prune")) {
      Cli.Result r =
          run(
              command,
              "m.sct",
              "--data",
              "cifar10:x",
              "--criterion",
              "vip",
              "-o",
              dir.resolve("x"));
      fails(2, "'vip': expected one of " + all, r);
      Cli.Result help = run(command, "--help");
      assertTrue(help.out().replaceAll("\\s+", " ").contains(all), help.out());
    }
  }

  @Test
  void doctorSaysWhereCudasLibrariesAreOrHowToGetThem() throws IOException {
    Cli.Result r = run("doctor");
    assertEquals(0, r.code(), r.err());
    assertTrue(r.out().contains("oneDNN"), r.out());
    assertTrue(r.out().contains("device cuda"), r.out());
    for (String name : List.of("NVIDIA driver", "cuBLAS", "cuSolver", "cuDNN")) {
      boolean says =
          r.out()
              .lines()
              .anyMatch(l -> l.startsWith("cuda " + name) && l.matches(".*(/|install).*"));
      assertTrue(says, name + ": " + r.out());
    }
    JsonNode json = Json.MAPPER.readTree(run("doctor", "--json").out());
    assertTrue(json.get("cuda libraries").hasNonNull("cuDNN"), json.toString());
    assertTrue(json.get("ok").asBoolean(), json.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"tf32", "fp16", "bf16"})
  void theProcessorComputesInSinglePrecisionAndBfloat(String math) throws IOException {
    Path model = dir.resolve("small.sct");
    Models.save(Architectures.create("resnet8", 10, 1, 28, 1), model);
    for (String device : new String[] {"cpu", "auto"}) {
      Cli.Result r =
          run("bench", model, "--device", device, "--math", math, "--runs", "2", "--batch", "2");
      if (!math.equals("bf16")) {
        fails(2, "--math: the cpu device computes in fp32 and bf16; " + math + " needs a GPU", r);
      } else if (!CpuDevice.multipliesBfloat()) {
        fails(2, "--math: bf16 on the cpu device needs a processor with AVX512-BF16 or AMX", r);
      } else {
        assertEquals(0, r.code(), r.err());
      }
    }
  }

  @Test
  void doctorComputesALittleWithEveryLibrary() throws IOException {
    Cli.Result r = run("doctor", "--test", "--device", "cpu", "--json");
    assertEquals(0, r.code(), r.out());
    JsonNode checks = Json.MAPPER.readTree(r.out()).get("tests").get("cpu");
    assertEquals(6, checks.size(), checks.toString());
    for (JsonNode c : checks) {
      assertEquals("", c.get("problem").asText(), c.toString());
      assertTrue(r.err().contains("testing cpu: " + c.get("name").asText()), r.err());
    }
  }

  @Test
  void cudaThatCannotBeHadIsOneLine() {
    Cli.Result r = run("eval", "x.th", "--data", "idx:" + dir, "--device", "cuda:4999");
    assertEquals(1, r.code());
    assertEquals(1, r.err().lines().count(), r.err());
  }

  @Test
  void settingsArePrintedWithoutAnythingElse() {
    Cli.Result r = Cli.run("prune", "--sparse", "growing", "--print-config");
    assertEquals(0, r.code(), r.err());
    assertTrue(
        r.out().contains("sparse-training:\n  kind: growing\n  strength: 1.0\n  epochs: 5\n"),
        r.out());
  }
}
