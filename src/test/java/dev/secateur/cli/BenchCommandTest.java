package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.cli.Cli.Result;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code bench} prints; no test looks at how long anything takes. */
class BenchCommandTest {
  @TempDir static Path dir;
  private static final Model LARGE = Architectures.create("resnet14", 10, 1, 16, 1);
  private static final Model SMALL = Architectures.create("resnet8", 10, 1, 16, 1);
  private static Path large;
  private static Path small;

  @BeforeAll
  static void models() throws IOException {
    System.setProperty("secateur.bench.warmup", "0");
    large = dir.resolve("large.sct");
    small = dir.resolve("small.sct");
    Models.save(LARGE, large);
    Models.save(SMALL, small);
  }

  @AfterAll
  static void warmUpAgain() {
    System.clearProperty("secateur.bench.warmup");
  }

  private static Result bench(Object... more) {
    List<Object> all = new ArrayList<>(List.of("bench", large, small, "--runs", 3, "-q"));
    all.addAll(List.of(more));
    Result r = run(all.toArray());
    assertEquals(0, r.code(), r.err());
    return r;
  }

  private static JsonNode json(Object... more) throws IOException {
    List<Object> all = new ArrayList<>(List.of(more));
    all.add("--json");
    return Json.MAPPER.readTree(bench(all.toArray()).out());
  }

  @Test
  void aProfileHasEveryLayerOnce() throws IOException {
    JsonNode json = json("--device", "cpu", "--batch", "1,2", "--profile");
    assertEquals(4, json.get("rows").size());
    assertEquals(4, json.get("profile").size());
    for (int i = 0; i < 4; i++) {
      JsonNode p = json.get("profile").get(i);
      assertEquals(json.get("rows").get(i).get("model"), p.get("model"));
      assertEquals(i < 2 ? 1 : 2, p.get("batch").asInt());
      assertEquals(0, p.get("waited").asInt(), "the processor never waits for the host");
      holds(p, i % 2 == 0 ? LARGE.graph() : SMALL.graph());
      double byMacs =
          i % 2 == 0 ? 1 : (double) Cost.of(LARGE.graph()).macs() / Cost.of(SMALL.graph()).macs();
      assertEquals(byMacs, p.get("byMacs").asDouble(), 1e-9);
      if (i % 2 == 1) {
        double before = json.get("profile").get(i - 1).get("layersMilliseconds").asDouble();
        double ms = p.get("layersMilliseconds").asDouble();
        assertEquals(before / ms, p.get("measuredLayers").asDouble(), 1e-9 * before / ms);
      }
      assertEquals(i % 2 == 0 ? 0 : p.get("layers").size(), p.get("gains").size());
      for (JsonNode g : p.get("gains")) {
        assertEquals(1, g.get("byMacs").asDouble(), g + ": both have this layer alike");
        assertEquals(1, g.get("byBytes").asDouble(), g.toString());
      }
    }
  }

  private static void holds(JsonNode profile, Graph graph) {
    Set<String> nodes = new HashSet<>();
    long macs = 0;
    double share = 0;
    double ms = 0;
    double ridge = profile.get("ridge").asDouble();
    for (JsonNode l : profile.get("layers")) {
      l.get("nodes").forEach(n -> assertTrue(nodes.add(n.asText()), n + " twice"));
      long own = l.get("macs").asLong();
      long bytes = l.get("bytes").asLong();
      macs += own;
      share += l.get("share").asDouble();
      ms += l.get("milliseconds").asDouble();
      double flops = 2.0 * own * profile.get("batch").asInt();
      double intensity = l.get("intensity").asDouble();
      assertEquals(flops / bytes, intensity, 1e-9 * intensity, l.toString());
      assertEquals(intensity < ridge, l.get("memoryBound").asBoolean(), l.toString());
    }
    assertEquals(graph.nodes().size(), nodes.size());
    assertEquals(Cost.of(graph).macs(), macs);
    assertEquals(1, share, 1e-9);
    assertEquals(profile.get("layersMilliseconds").asDouble(), ms, 1e-9 * ms);
  }

  @Test
  void theTablesNameLayersAndSumThemUp() {
    String out = bench("--device", "cpu", "--batch", "2", "--profile").out();
    assertTrue(out.contains("layer1.0.conv2"), out);
    assertTrue(out.contains("conv 3x3/2 +bn +relu"), out);
    assertTrue(out.contains("conv 3x3 +bn +add +relu"), out);
    assertEquals(1, out.lines().filter(l -> l.startsWith("layer1.1.conv1 ")).count(), out);
    assertEquals(3, out.lines().filter(l -> l.startsWith("layer1.0.conv1 ")).count(), out);
    assertEquals(2, out.lines().filter(l -> l.matches(".*GFLOP/s and .*meet at.*")).count(), out);
    assertEquals(2, out.lines().filter(l -> l.matches("layers .* ms, .* and gaps")).count(), out);
    assertEquals(1, out.lines().filter(l -> l.startsWith("by MACs ")).count(), out);
    String plain = bench("--device", "cpu", "--batch", "2").out();
    assertEquals(4, plain.lines().count(), plain);
    assertFalse(plain.contains("math") || plain.contains("GFLOP"), plain);
  }

  @Test
  void aGpuIsMeasuredInSeveralPrecisions() throws IOException {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    JsonNode json = json("--device", "cuda", "--math", "fp32,fp16", "--batch", "1", "--profile");
    assertEquals("fp32,fp16", json.get("math").asText());
    assertEquals(4, json.get("rows").size());
    for (int i = 0; i < 4; i++) {
      JsonNode row = json.get("rows").get(i);
      JsonNode p = json.get("profile").get(i);
      assertEquals(i < 2 ? large.toString() : small.toString(), row.get("model").asText());
      assertEquals(i % 2 == 0 ? "fp32" : "fp16", row.get("math").asText());
      assertEquals(row.get("math"), p.get("math"));
      assertEquals(row.get("model"), p.get("model"));
      assertEquals(i % 2 == 0, row.get("mathSpeedup").asDouble() == 1, row.toString());
      assertEquals(i < 2, row.get("speedup").asDouble() == 1, "same precision: " + row);
      holds(p, i < 2 ? LARGE.graph() : SMALL.graph());
    }
    long full = json.get("profile").get(0).get("layers").get(2).get("bytes").asLong();
    assertEquals(full, 2 * json.get("profile").get(1).get("layers").get(2).get("bytes").asLong());
    String out = bench("--device", "cuda", "--math", "fp32,fp16", "--batch", "1").out();
    assertEquals(2, out.lines().filter(l -> l.contains("  fp16  ")).count(), out);
    assertTrue(out.contains("by math"), out);
  }

  @Test
  void energyIsMeasuredWhereNvmlTellsIt() throws IOException {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
    System.setProperty("secateur.bench.energy", "1");
    try {
      JsonNode json = json("--device", "cuda", "--batch", "1", "--energy");
      assertEquals("", json.get("energyProblem").asText());
      assertEquals(2, json.get("energy").size());
      for (JsonNode u : json.get("energy")) {
        assertEquals("NVML's energy counter", u.get("source").asText());
        double each = u.get("millijoulesPerImage").asDouble();
        assertTrue(each > 0 && u.get("low").asDouble() <= each, u.toString());
        assertTrue(each <= u.get("high").asDouble() && u.get("watts").asDouble() > 0, u.toString());
      }
      assertEquals(small.toString(), json.get("energy").get(1).get("model").asText());
      EmulatedCuda.fail("nvmlInit", 1);
      Result r = bench("--device", "cuda", "--batch", "1", "--energy");
      String line = "no energy: NVML does not tell: nvmlInit_v2: Not Supported";
      assertEquals(1, r.out().lines().filter(line::equals).count(), r.out());
      r = bench("--device", "cpu", "--batch", "1", "--energy");
      line = "no energy: the cpu device does not tell its energy";
      assertEquals(1, r.out().lines().filter(line::equals).count(), r.out());
    } finally {
      System.clearProperty("secateur.bench.energy");
    }
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() throws IOException {
    ByteBuffer images = ByteBuffer.allocate(16 + 256).putInt(0x803).putInt(1).putInt(16).putInt(16);
    Files.write(dir.resolve("t10k-images-idx3-ubyte"), images.array());
    ByteBuffer labels = ByteBuffer.allocate(8 + 1).putInt(0x801).putInt(1);
    Files.write(dir.resolve("t10k-labels-idx1-ubyte"), labels.array());
    Result r = run("bench", large, "--train", "--profile");
    fails(2, "--train --profile: layers are timed for inference only", r);
    r = run("eval", large, "--data", "idx:" + dir, "--math", "fp32,fp16");
    fails(2, "--math fp32,fp16: expected one type; only bench and doctor take several", r);
    r = run("bench", large, "--math", "fp32,fp64");
    assertEquals(2, r.code());
    assertTrue(r.err().contains("'fp64': expected auto, fp32, tf32, fp16 or bf16"), r.err());
  }
}
