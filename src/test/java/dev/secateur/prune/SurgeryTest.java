package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.util.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    Model model = Zeroed.shifted(Architectures.create(name, 10, 3, 32, 1));
    SplittableRandom random = new SplittableRandom(5);
    try (Device device = new CpuDevice()) {
      for (int set = 0; set < sets; set++) {
        double rate = Math.min(0.1 + 0.2 * set, 0.9);
        Removal removed = Zeroed.random(model.graph(), Scope.PAPER, random).lowest(rate);
        Model pruned = Surgery.remove(model, removed);
        removed
            .filters()
            .forEach(
                (c, filters) ->
                    assertEquals(
                        model.graph().shape(c).dim(1) - filters.length,
                        pruned.parameters().get(c + ".weight").shape().dim(0)));
        Zeroed.assertEqual(device, model, removed, pruned);
      }
    }
  }

  @Test
  void resnetsOfferTheFirstConvolutionsOfTheirBlocksAndVggAllButTheLast() {
    assertEquals(
        "[layer1.0.conv1, layer2.0.conv1, layer3.0.conv1]",
        paper(Architectures.graph("resnet8", 10, 3, 32)).toString());
    assertEquals(32, paper(Architectures.graph("resnet50", 10, 3, 224)).size());
    assertEquals(7, paper(Architectures.graph("vgg11", 10, 3, 224)).size());
  }

  @Test
  void tiesAreBrokenSoThatTheCountIsExactAndEveryLayerKeepsAFilter() {
    Node[] nodes = {
      new Node("input", new Input(1, 4, 4), List.of()),
      new Node("a", new Convolution(3, 1, 1, ConvolutionSpec.of(1, 0), false), List.of("input")),
      new Node("b", new Convolution(7, 1, 1, ConvolutionSpec.of(1, 0), false), List.of("a")),
      new Node("c", new Convolution(2, 1, 1, ConvolutionSpec.of(1, 0), false), List.of("b"))
    };
    Graph graph = new Graph(List.of(nodes));
    Map<String, float[]> s = new LinkedHashMap<>();
    s.put("a", new float[] {0, 0, 0});
    s.put("b", new float[] {1, 0, 1, 1, 1, 1, 1});
    for (Scope scope : List.of(Scope.PAPER, Scope.ALL)) {
      ChannelGroups units = ChannelGroups.of(graph, scope);
      Importance scores = new Importance("", s);
      Selection of =
          new Selection(
              units, units.importance(scores, GroupReduction.MEAN), Constraints.NONE, graph);
      Removal removed = of.lowest(0.5);
      assertArrayEquals(new int[] {0, 1}, removed.of("a"));
      assertArrayEquals(new int[] {0, 1, 2}, removed.of("b"));
      assertThrows(SecateurException.class, () -> of.lowest(0.95));
      assertThrows(SecateurException.class, () -> of.lowest(1));
    }
  }

  @Test
  void modelFilesGiveBackTheSameLogitsAndSurviveAFailedWrite(@TempDir Path dir) throws IOException {
    Model model = Zeroed.shifted(Architectures.create("resnet8", 10, 3, 32, 1));
    Path file = dir.resolve("m.sct");
    Models.save(model, file);
    try (Device device = new CpuDevice()) {
      assertArrayEquals(Zeroed.logits(device, model), Zeroed.logits(device, Models.load(file)));
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

  private static List<String> paper(Graph graph) {
    return ChannelGroups.of(graph, Scope.PAPER).layers();
  }
}
