package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.SurgeryProof;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A weight that several layers read stays one: read, pruned, saved and written. */
class SharedWeightsTest {
  private static final int[] PADS = {1, 1, 1, 1};

  @TempDir Path dir;

  /** Reads a file; it is pruned by 20 % and by half exactly, as ONNX Runtime computes it. */
  private Model read(Proto p, String... outputs) throws IOException, OrtException {
    Path file = p.write(dir.resolve("net.onnx"), outputs);
    OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
    assertTrue(o.refused().isEmpty(), o.toString());
    assertTrue(o.exported() <= 1e-5, o.toString());
    o.pruned().values().forEach(c -> assertTrue(c.difference() <= 1e-5, o.toString()));
    o.pruned().values().forEach(c -> assertTrue(c.parameters() < 1, o.toString()));
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    Models.save(m, dir.resolve("net.sct"));
    Model again = Models.load(dir.resolve("net.sct"));
    assertEquals(m.graph().nodes(), again.graph().nodes());
    assertEquals(m.parameters().keySet(), again.parameters().keySet());
    return m;
  }

  /** Sharing after an export, and a cut before it. */
  private Model written(Model m, Removal removal) throws IOException {
    Model smaller = Surgery.remove(m, removal);
    assertEquals(
        smaller.parameters().keySet(),
        Surgery.remove(m, SurgeryProof.removed(m, smaller)).parameters().keySet());
    Path file = dir.resolve("cut.onnx");
    Models.exportOnnx(smaller, file);
    List<String> names =
        OnnxFile.open(file).model().getGraph().getInitializerList().stream()
            .map(OnnxMl.TensorProto::getName)
            .toList();
    assertEquals(names.stream().distinct().count(), names.size(), names.toString());
    Model back = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    assertEquals(Cost.of(smaller.graph()), Cost.of(back.graph()));
    assertEquals(groups(smaller.graph()), groups(back.graph()));
    return smaller;
  }

  /** How many layers share each set of parameters. */
  private static List<Integer> groups(Graph g) {
    return g.nodes().stream()
        .filter(g::first)
        .map(n -> g.sharing(n).size())
        .filter(s -> s > 1)
        .toList();
  }

  private static Node convolution(Model m, int place) {
    return m.graph().nodes().stream()
        .filter(n -> n.op().hasFilters())
        .skip(place)
        .findFirst()
        .get();
  }

  @Test
  void aConvolutionInARow() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 9, 8);
    String a =
        p.node("Relu", p.node("Conv", "x", p.weight(12, 3, 3, 3), p.weight(12), "pads=", PADS));
    String w = p.weight(12, 12, 3, 3);
    String bias = p.weight(12);
    String b = p.node("Relu", p.node("Conv", a, w, bias, "pads=", PADS));
    String c =
        p.node("Relu", p.node("Conv", b, w, bias, "pads=", PADS, "strides=", new int[] {2, 2}));
    String d = p.node("Conv", c, p.weight(5, 12, 1, 1));
    Model m = read(p, p.node("GlobalAveragePool", d));
    assertEquals(List.of(2), groups(m.graph()));
    assertEquals(12 * 3 * 9 + 12 + 12 * 12 * 9 + 12 + 5 * 12, Cost.of(m.graph()).parameters());
    ChannelGroups groups = ChannelGroups.of(m.graph(), Scope.ALL);
    assertEquals(12, groups.size());
    assertEquals(24, groups.filters()); // the first layer's and the shared ones, which count once
    Model smaller = written(m, new Removal(Map.of(convolution(m, 0).name(), new int[] {1, 4, 11})));
    assertEquals(9, smaller.graph().shape(convolution(smaller, 2).name()).dim(1));
    assertEquals(9 * 3 * 9 + 9 + 9 * 9 * 9 + 9 + 5 * 9, Cost.of(smaller.graph()).parameters());
  }

  /** Two images through one tower of convolutions, norms and linear layers. */
  @Test
  void towersOfTwoImages() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String other = p.image("z", 3, 8, 8);
    String w1 = p.weight(8, 3, 3, 3);
    String w2 = p.weight(6, 8, 3, 3);
    String[] norm = {p.weight(8), p.weight(8), p.weight(8), p.positive(8)};
    String fc = p.weight(7, 6);
    String bias = p.weight(7);
    String[] ends = new String[2];
    for (int i = 0; i < 2; i++) {
      String c = p.node("Conv", i == 0 ? "x" : other, w1, "pads=", PADS);
      String n = p.node("BatchNormalization", c, norm[0], norm[1], norm[2], norm[3]);
      String d = p.node("Relu", p.node("Conv", p.node("Relu", n), w2));
      String flat = p.node("Flatten", p.node("GlobalAveragePool", d));
      ends[i] = p.node("Gemm", flat, fc, bias, "transB=", 1);
    }
    Model m = read(p, p.node("Concat", ends[0], ends[1], "axis=", 1));
    assertEquals(List.of(2, 2, 2, 2), groups(m.graph()));
    Model smaller = written(m, new Removal(Map.of(convolution(m, 0).name(), new int[] {0, 5})));
    for (int i = 0; i < 4; i++) {
      assertEquals(
          i % 2 == 0 ? 6 : 6, smaller.graph().shape(convolution(smaller, i).name()).dim(1));
    }
  }

  /** A weight with two biases stays two layers' weights; so does one that is read differently. */
  @Test
  void whatIsNotOneLayersParameters() throws IOException, OrtException {
    Proto p = new Proto(13, 4, 8, 8);
    String w = p.weight(4, 4, 3, 3);
    String a = p.node("Relu", p.node("Conv", "x", w, p.weight(4), "pads=", PADS));
    String b = p.node("Relu", p.node("Conv", a, w, p.weight(4), "pads=", PADS));
    String c = p.node("Conv", b, p.weight(4, 4, 3, 3), "pads=", PADS);
    Model m = read(p, p.node("Conv", c, p.weight(3, 4, 1, 1)));
    assertTrue(groups(m.graph()).isEmpty());
    assertFalse(m.graph().nodes().isEmpty());
  }
}
