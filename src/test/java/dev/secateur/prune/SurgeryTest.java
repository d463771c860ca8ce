package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.AtomicFile;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Removing filters equals zeroing them through, and the network is really smaller. */
class SurgeryTest {

  @ParameterizedTest
  @CsvSource({
    "resnet8, 6",
    "resnet20, 4",
    "resnet14b, 4",
    "vgg11_bn_cifar, 3",
    "resnet18, 2",
    "resnet50, 1"
  })
  void thePrunedNetworkEqualsTheZeroedOne(String name, int sets) throws IOException {
    Model model = positiveNorms(Architectures.create(name, 10, 3, 32, 1));
    SplittableRandom random = new SplittableRandom(5);
    try (Device device = new CpuDevice()) {
      for (int set = 0; set < sets; set++) {
        Map<String, float[]> scores = new LinkedHashMap<>();
        for (String c : Prunable.convolutions(model.graph())) {
          float[] s = new float[model.graph().shape(c).size(1)];
          for (int i = 0; i < s.length; i++) {
            s[i] = random.nextFloat();
          }
          scores.put(c, s);
        }
        double rate = 0.1 + 0.2 * set;
        Map<String, int[]> removed = Selection.lowest(new Scores("", scores), Math.min(rate, 0.9));
        Model pruned = Surgery.remove(device, model, removed);
        removed.forEach(
            (c, filters) ->
                assertEquals(
                    model.graph().shape(c).dim(1) - filters.length,
                    pruned.parameters().get(c + ".weight").shape().dim(0)));
        float[] want = logits(device, zeroed(model, removed));
        float[] got = logits(device, pruned);
        for (int i = 0; i < want.length; i++) {
          assertEquals(want[i], got[i], 1e-4 * (1 + Math.abs(want[i])));
        }
      }
    }
  }

  @Test
  void resnetsOfferTheFirstConvolutionsOfTheirBlocksAndVggAllButTheLast() {
    assertEquals(
        "[layer1.0.conv1, layer2.0.conv1, layer3.0.conv1]",
        Prunable.convolutions(Architectures.graph("resnet8", 10, 3, 32)).toString());
    assertEquals(32, Prunable.convolutions(Architectures.graph("resnet50", 10, 3, 224)).size());
    assertEquals(7, Prunable.convolutions(Architectures.graph("vgg11", 10, 3, 224)).size());
  }

  @Test
  void tiesAreBrokenSoThatTheCountIsExactAndEveryLayerKeepsAFilter() {
    Map<String, float[]> s = new LinkedHashMap<>();
    s.put("a", new float[] {0, 0, 0});
    s.put("b", new float[] {1, 0, 1, 1, 1, 1, 1});
    Map<String, int[]> removed = Selection.lowest(new Scores("", s), 0.5);
    assertArrayEquals(new int[] {0, 1}, removed.get("a"));
    assertArrayEquals(new int[] {0, 1, 2}, removed.get("b"));
    assertThrows(SecateurException.class, () -> Selection.lowest(new Scores("", s), 0.95));
    assertThrows(SecateurException.class, () -> Selection.lowest(new Scores("", s), 1));
  }

  @Test
  void modelFilesGiveBackTheSameLogitsAndSurviveAFailedWrite(@TempDir Path dir) throws IOException {
    Model model = positiveNorms(Architectures.create("resnet8", 10, 3, 32, 1));
    Path file = dir.resolve("m.sct");
    Models.save(model, file);
    try (Device device = new CpuDevice()) {
      assertArrayEquals(logits(device, model), logits(device, Models.load(file)));
    }
    byte[] whole = Files.readAllBytes(file);
    assertThrows(
        SecateurException.class,
        () ->
            AtomicFile.write(
                file,
                out -> {
                  out.write(new byte[100_000]);
                  throw new IOException("No space left on device");
                }));
    assertArrayEquals(whole, Files.readAllBytes(file));
    assertEquals(1, dir.toFile().list().length);
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < 200; i++) {
      byte[] cut = Arrays.copyOf(whole, random.nextInt(whole.length));
      Files.write(file, cut);
      String message = assertThrows(SecateurException.class, () -> Models.load(file)).getMessage();
      assertTrue(message.startsWith(file.toString()), message);
    }
  }

  private static Model positiveNorms(Model m) {
    SplittableRandom random = new SplittableRandom(8);
    return changed(
        m,
        (name, d) -> {
          if (name.endsWith(".bias") || name.endsWith("running_mean")) {
            for (int i = 0; i < d.length; i++) {
              d[i] = (float) random.nextDouble(-0.3, 0.3);
            }
          }
        });
  }

  private static Model zeroed(Model m, Map<String, int[]> removed) {
    Map<String, int[]> vectors = new LinkedHashMap<>();
    for (Map.Entry<String, int[]> e : removed.entrySet()) {
      Node n = m.graph().node(e.getKey());
      vectors.put(n.name() + ".weight", e.getValue());
      vectors.put(n.name() + ".bias", e.getValue());
      for (Node norm : Reach.of(m.graph(), n).orElseThrow().norms()) {
        vectors.put(norm.name() + ".weight", e.getValue());
        vectors.put(norm.name() + ".bias", e.getValue());
      }
    }
    return changed(
        m,
        (name, d) -> {
          int[] filters = vectors.getOrDefault(name, new int[0]);
          int each = d.length / m.parameters().get(name).shape().size(0);
          for (int f : filters) {
            Arrays.fill(d, f * each, (f + 1) * each, 0);
          }
        });
  }

  private static Model changed(Model m, java.util.function.BiConsumer<String, float[]> change) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    m.parameters()
        .forEach(
            (name, t) -> {
              float[] d = t.data().clone();
              change.accept(name, d);
              out.put(name, new HostTensor(t.shape(), d));
            });
    return new Model(m.graph(), out, m.metadata());
  }

  private static float[] logits(Device device, Model model) {
    try (Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, 2, Optional.empty());
        HostBuffer host = device.hostBuffer(program.pixels().bytes())) {
      SplittableRandom random = new SplittableRandom(4);
      for (int i = 0; i < program.pixels().bytes(); i++) {
        host.bytes().put(i, (byte) random.nextInt(256));
      }
      device.upload(host, program.pixels());
      program.run();
      return device.downloadFloats(program.output());
    }
  }
}
