package dev.secateur.cli;

import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.cli.Cli.Result;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.ForwardHook;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Scope;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tukaani.xz.XZInputStream;

/**
 * ResNet-20 on CIFAR-10 through the command line: the emulated GPU and the processor choose the
 * same filters. "generated" is a network with seeded weights and images made here; "real" are the
 * published weights and images of ../shared/data.
 */
class CudaCommandsTest {
  private static final Path SHARED = Path.of("..", "shared", "data");
  private static final int RECORD = 3073;
  private static final int IMAGES = 192;
  private static final int BATCH = 64;
  private static final double NEAR = 1e-3;

  @TempDir Path dir;
  private Path model;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
  }

  /** What a library refuses is counted for people: on a Turing GPU there is no bfloat16. */
  @Test
  void doctorAndProfileCountWhatIsDoneOtherwise() throws IOException {
    EmulatedCuda.capability(75);
    Result r = run("doctor", "--test", "--device", "cuda:0", "--math", "fp32,bf16", "--json");
    JsonNode doctor = Json.MAPPER.readTree(r.out());
    assertEquals(List.of("cuda:0 fp32", "cuda:0 bf16"), names(doctor.get("tests")), r.err());
    assertEquals(1, doctor.get("fallbacks").size(), doctor.toString());
    assertTrue(names(doctor.get("fallbacks")).get(0).contains("bf16: computed in FP32"));
    String text = run("doctor", "--test", "--device", "cuda:0", "--math", "bf16").out();
    assertTrue(text.lines().anyMatch(l -> l.startsWith("fallback once ")), text);

    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 10, 3, 16, 1), model);
    List<Object> bench =
        new ArrayList<>(List.of("bench", model, "--device", "cuda:0", "--math", "fp32,bf16"));
    bench.addAll(List.of("--engine", "secateur", "--runs", "10", "--batch", "2", "--profile"));
    String table = run(bench.toArray()).out();
    assertTrue(table.lines().anyMatch(l -> l.matches("bf16: .* FP32 \\(\\d+ times\\)")), table);
    bench.add("--json");
    JsonNode counted = Json.MAPPER.readTree(run(bench.toArray()).out()).get("fallbacks");
    assertEquals(0, counted.get("fp32").size(), counted.toString());
    assertEquals(1, names(counted.get("bf16")).size(), counted.toString());
    EmulatedCuda.reset();
  }

  /** TF32 is what PyTorch's convolutions take, where a GPU has it. */
  @Test
  void theTypeIsChosenByTheGpuWhereNoneIsGiven() throws IOException {
    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 10, 3, 16, 1), model);
    Object[] bench = {
      "bench", model, "--device", "cuda", "--engine", "secateur", "--runs", "10", "--json"
    };
    assertEquals("tf32", Json.MAPPER.readTree(run(bench).out()).get("math").asText());
    EmulatedCuda.capability(75);
    assertEquals("fp32", Json.MAPPER.readTree(run(bench).out()).get("math").asText());
    EmulatedCuda.reset();
    bench[3] = "cpu";
    assertEquals("fp32", Json.MAPPER.readTree(run(bench).out()).get("math").asText());
    String unknown = run("bench", model, "--math", "fp8").err();
    assertTrue(unknown.contains("'fp8': expected auto, fp32, tf32, fp16 or bf16"), unknown);
  }

  /** Whatever the GPU's own choice is: a run goes on in the type that it was begun in. */
  @Test
  void aRunGoesOnInItsType() throws IOException {
    inputs("generated", 2 * BATCH);
    Path out = dir.resolve("run");
    List<Object> prune = new ArrayList<>(List.of("prune", model, "--data", "cifar10:" + dir));
    prune.addAll(List.of("--device", "cuda", "--criterion", "l1", "--finetune-epochs", "0"));
    prune.addAll(List.of("--batch-size", BATCH, "-q", "-o", out));
    List<Object> begun = new ArrayList<>(prune);
    begun.addAll(List.of("--math", "fp32"));
    assertEquals(0, run(begun.toArray()).code());
    prune.add("--resume");
    Result r = run(prune.toArray());
    assertEquals(0, r.code(), r.err());
    prune.addAll(List.of("--math", "tf32"));
    Result other = run(prune.toArray());
    assertEquals(1, other.code(), other.err());
    assertTrue(other.err().contains("math"), other.err());
  }

  private static List<String> names(JsonNode object) {
    List<String> out = new ArrayList<>();
    object.fieldNames().forEachRemaining(out::add);
    return out;
  }

  private void inputs(String kind, int images) throws IOException {
    if (kind.equals("generated")) {
      model = dir.resolve("m.sct");
      Models.save(Architectures.create("resnet20", 10, 3, 32, 1), model);
      write(generated(images));
    } else {
      model = SHARED.resolve("pretrained/resnet20-12fca82f.th");
      Path batch = SHARED.resolve("cifar10-bin/data_batch_1.bin.xz");
      assumeTrue(Files.exists(model), model + " is absent: skipped");
      assumeTrue(Files.exists(batch), batch + " is absent: skipped");
      try (InputStream in = new XZInputStream(Files.newInputStream(batch))) {
        write(in.readNBytes(images * RECORD));
      }
    }
  }

  /** CIFAR-10 has five files: one image in each of the last four. */
  private void write(byte[] records) throws IOException {
    int from = 0;
    for (int i = 1; i <= 5; i++) {
      int to = records.length - (5 - i) * RECORD;
      Files.write(dir.resolve("data_batch_" + i + ".bin"), Arrays.copyOfRange(records, from, to));
      from = to;
    }
  }

  /** Noise, and a bright square whose place and colour are the class's. */
  private static byte[] generated(int images) {
    SplittableRandom random = new SplittableRandom(7);
    byte[] out = new byte[images * RECORD];
    for (int i = 0; i < images; i++) {
      int label = i * 7 % 10;
      out[i * RECORD] = (byte) label;
      for (int k = 0; k < RECORD - 1; k++) {
        int y = k / 32 % 32;
        int x = k % 32;
        boolean square = y / 11 == label / 3 % 3 && x / 11 == label % 3;
        boolean bright = square && k / 1024 != label % 2;
        out[i * RECORD + 1 + k] = (byte) random.nextInt(bright ? 250 : 120);
      }
    }
    return out;
  }

  private Result command(String device, String name, Object... more) {
    List<Object> all =
        new ArrayList<>(
            List.of(name, model, "--data", "cifar10:" + dir, "--device", device, "--json", "-q"));
    all.addAll(List.of("--math", "fp32"));
    if (model.toString().endsWith(".th")) {
      all.addAll(List.of("--arch", "resnet20"));
    }
    all.addAll(List.of(more));
    Result r = run(all.toArray());
    assertEquals(0, r.code(), r.err());
    return r;
  }

  private record Filter(String layer, int index, double vip) {
    String name() {
      return layer + " " + index;
    }
  }

  /** All filters in the order in which they would go. */
  private static List<Filter> order(Result r) throws IOException {
    List<Filter> out = new ArrayList<>();
    JsonNode layers = Json.MAPPER.readTree(r.out()).get("byFilter");
    layers
        .fields()
        .forEachRemaining(
            e -> {
              for (int i = 0; i < e.getValue().size(); i++) {
                out.add(new Filter(e.getKey(), i, e.getValue().get(i).asDouble()));
              }
            });
    out.sort(Comparator.comparingDouble(Filter::vip));
    return out;
  }

  /**
   * The VIP agree to a thousandth, and the order of all filters does but for neighbours whose VIP
   * differ by less.
   */
  @ParameterizedTest
  @ValueSource(strings = {"generated", "real"})
  void scoresAreInTheSameOrder(String kind) throws IOException {
    inputs(kind, IMAGES);
    List<Filter> cpu = order(command("cpu", "score", "--batch-size", BATCH));
    List<Filter> cuda = order(command("cuda", "score", "--batch-size", BATCH));
    assertEquals(336, cpu.size());
    assertEquals(cpu.size(), cuda.size());
    int swapped = 0;
    for (int i = 0; i < cpu.size(); i++) {
      assertEquals(cpu.get(i).vip(), cuda.get(i).vip(), NEAR, "VIP in place " + i);
      String name = cpu.get(i).name();
      Filter same = cuda.stream().filter(f -> f.name().equals(name)).findFirst().orElseThrow();
      assertEquals(cpu.get(i).vip(), same.vip(), NEAR, name);
      swapped += cuda.get(i).name().equals(name) ? 0 : 1;
    }
    assertTrue(swapped <= 6, swapped + " of 336 filters in another place");
    double difference = cpu.get(335).vip() - cpu.get(0).vip();
    assertTrue(difference > 100 * NEAR, "VIP that tell filters apart: " + difference);
  }

  @ParameterizedTest
  @ValueSource(strings = {"generated 0", "generated 1", "real 0", "real 1"})
  void pruningRemovesTheSameFilters(String kindAndEpochs) throws IOException {
    String[] words = kindAndEpochs.split(" ");
    inputs(words[0], 96);
    Path[] runs = new Path[2];
    for (int i = 0; i < 2; i++) {
      String device = i == 0 ? "cpu" : "cuda";
      runs[i] = dir.resolve(device);
      command(
          device,
          "prune",
          "--rate",
          0.1,
          "--iterations",
          1,
          "--finetune-epochs",
          words[1],
          "--batch-size",
          32,
          "-o",
          runs[i]);
    }
    JsonNode removed = removed(runs[0]);
    int count = 0;
    for (JsonNode filters : removed) {
      count += filters.size();
    }
    assertTrue(count >= 33 && count <= 50, "a tenth of 336, and those that never fire: " + count);
    assertEquals(removed, removed(runs[1]));
    Model a = Models.load(runs[0].resolve("model.sct"));
    Model b = Models.load(runs[1].resolve("model.sct"));
    assertEquals(a.parameters().keySet(), b.parameters().keySet());
    for (String name : a.parameters().keySet()) {
      assertEquals(a.parameters().get(name).shape(), b.parameters().get(name).shape(), name);
      float[] x = a.parameters().get(name).data();
      float[] y = b.parameters().get(name).data();
      boolean anew = name.contains(".running_"); // each device takes them from the images
      if (words[1].equals("0") && !anew) {
        assertArrayEquals(x, y, name + ": what stays is copied, bit by bit");
      } else {
        double error = 0;
        double norm = 0;
        for (int i = 0; i < x.length; i++) {
          error += (x[i] - y[i]) * (double) (x[i] - y[i]);
          norm += x[i] * (double) x[i];
        }
        assertTrue(Math.sqrt(error) <= 0.01 * Math.sqrt(norm) + 1e-3, name + ": " + error / norm);
      }
    }
  }

  private static JsonNode removed(Path run) throws IOException {
    return Json.MAPPER.readTree(run.resolve("iter-01/metrics.json").toFile()).get("removed");
  }

  /**
   * Bytes that the driver copies while {@code score} runs. To the GPU: each batch brings its pixels
   * (one byte each) and labels (four), nothing else; the rest, parameters before and while
   * compiling, does not depend on the number of batches. To the host: what compiling reads (each
   * parameter once, counted here by compiling the same program alone) and one float a filter.
   */
  @Test
  void scoringCopiesPixelsAndLabelsInAndTheVipOut() throws IOException {
    inputs("generated", 3 * BATCH);
    long[] up = new long[2];
    long[] down = new long[2];
    long[] copiesDown = new long[2];
    for (int i = 0; i < 2; i++) {
      EmulatedCuda.reset();
      command(
          "cuda",
          "score",
          "--config",
          paperColumns(),
          "--batch-size",
          BATCH,
          "--samples",
          BATCH * (1 + 2 * i));
      up[i] = EmulatedCuda.count("bytes HtoD");
      down[i] = EmulatedCuda.count("bytes DtoH");
      copiesDown[i] = EmulatedCuda.count("cuMemcpyDtoH");
    }
    long[] compiling = compilingAlone();
    int batchBytes = BATCH * (3 * 32 * 32 + 4);
    assertEquals(2L * batchBytes, up[1] - up[0], "two batches more");
    assertEquals(compiling[0] + batchBytes, up[0], "parameters and one batch");
    assertEquals(down[0], down[1], "more batches bring nothing more to the host");
    assertEquals(
        compiling[1] + 4L * 336 + 2 * 4,
        down[0],
        "and one float of VIP for each filter, and whether two decompositions converged");
    assertEquals(copiesDown[0], copiesDown[1]);
    assertEquals(compiling[2] + 3, copiesDown[0], "in a copy each");
  }

  /** The paper's features: one pass over the images, and no look at weights. */
  private Path paperColumns() throws IOException {
    return Files.writeString(
        dir.resolve("paper.yaml"),
        """
        scoring: {pool: max, features: convolution, scale: unit, weighting: none}
        choice: {dead-filters: rank}
        """);
  }

  /** Bytes up, bytes down and copies down of placing and compiling the network. */
  private long[] compilingAlone() throws IOException {
    EmulatedCuda.reset();
    Model m = Models.load(model);
    ForwardHook hook =
        new ForwardHook(ChannelGroups.of(m.graph(), Scope.PAPER).layers(), PoolSpec.Kind.MAX);
    try (Device d = TestCuda.open();
        Network net = new Network(d, m);
        InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.of(hook))) {
      assertEquals(336, p.features().shape().dim(1));
      return new long[] {
        EmulatedCuda.count("bytes HtoD"),
        EmulatedCuda.count("bytes DtoH"),
        EmulatedCuda.count("cuMemcpyDtoH")
      };
    }
  }
}
