package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.prune.RandomGraph;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nodes that are no layers here in front of and between layers are carried along where they are.
 */
class OpaqueFrontsTest {
  private static final int[] PADS = {1, 1, 1, 1};

  /** More by -Dsecateur.test.networks=N. */
  private static final int NETWORKS = Integer.getInteger("secateur.test.networks", 40);

  @TempDir Path dir;

  private static String convolution(Proto p, String x, long from, long to) {
    return p.node("Relu", p.node("Conv", x, p.weight(to, from, 3, 3), p.weight(to), "pads=", PADS));
  }

  private OnnxCases.Outcome of(Proto p, String... outputs) throws IOException, OrtException {
    OnnxCases.Outcome o = OnnxCases.of(p.write(dir.resolve("net.onnx"), outputs), 0.2, 0.5);
    assertTrue(o.refused().isEmpty(), o.toString());
    assertTrue(o.numbers() > 0, o.toString());
    assertTrue(o.exported() <= 1e-6, o.toString());
    o.pruned()
        .values()
        .forEach(
            c -> {
              assertTrue(c.difference() <= 1e-5, o.toString());
              assertTrue(c.parameters() < 1, o.toString());
            });
    return o;
  }

  /**
   * Networks drawn at random whose layers read some values through functions that are no layers.
   */
  @Test
  void betweenAnyLayers() throws IOException, OrtException {
    int opaque = 0;
    for (int seed = 0; seed < NETWORKS; seed++) {
      Path file = dir.resolve("m.onnx");
      Files.write(file, drawn(seed).toByteArray());
      OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
      if (o.refused().isPresent()) {
        assertTrue(o.refused().get().contains("is not supported"), seed + ": " + o);
        continue;
      }
      assertTrue(o.exported() <= 1e-5, seed + ": " + o);
      o.pruned().values().forEach(p -> assertTrue(p.difference() <= 1e-5, o.toString()));
      boolean between = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}).graph().opaque();
      boolean pruned = o.pruned().values().stream().anyMatch(p -> p.parameters() < 1);
      opaque += between && pruned ? 1 : 0;
    }
    assertTrue(opaque > NETWORKS / 4, opaque + " have such nodes between layers and were pruned");
  }

  private OnnxMl.ModelProto drawn(int seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    Model model = RandomGraph.draw(seed);
    OnnxMl.ModelProto.Builder m = OnnxCases.foreign(model, dir);
    OnnxMl.GraphProto.Builder g = m.getGraphBuilder();
    List<OnnxMl.NodeProto> nodes = new ArrayList<>();
    Map<String, String> through = new HashMap<>();
    for (OnnxMl.NodeProto n : g.getNodeList()) {
      nodes.add(Carried.renamed(n, through));
      boolean result = g.getOutputList().stream().anyMatch(o -> o.getName().equals(n.getOutput(0)));
      if (OnnxCases.layer(model, n) && !result && random.nextInt(5) == 0) {
        String type = List.of("Asinh", "Sin", "Atan").get(random.nextInt(3));
        String name = "between." + nodes.size();
        nodes.add(
            OnnxMl.NodeProto.newBuilder()
                .setOpType(type)
                .setName(name)
                .addInput(n.getOutput(0))
                .addOutput(name)
                .build());
        through.put(n.getOutput(0), name);
      }
    }
    g.clearNode().addAllNode(nodes);
    return m.build();
  }

  @Test
  void inFrontOfAllLayers() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String x = p.node("Sin", "x");
    String a = convolution(p, convolution(p, x, 3, 8), 8, 6);
    String y = p.node("Gemm", p.node("Flatten", p.node("GlobalAveragePool", a)), p.weight(6, 4));
    assertEquals("1 Sin", of(p, y).carried());
  }

  /** One image without a batch is one of a batch of one. */
  @Test
  void anImageWithoutABatch() throws IOException, OrtException {
    Proto p = new Proto(13);
    p.single("x", 3, 8, 8);
    String x = p.node("Unsqueeze", "x", p.longs(0));
    String y = convolution(p, convolution(p, x, 3, 8), 8, 6);
    assertEquals("", of(p, y).carried());

    Proto q = new Proto(13);
    q.single("x", 3, 8, 8);
    String scaled =
        q.node(
            "Div", q.node("Sub", "x", q.weight(3, 1, 1)), q.tensor(new long[] {3, 1, 1}, 2, 3, 4));
    String one = q.node("Unsqueeze", scaled, q.longs(0));
    of(q, convolution(q, convolution(q, one, 3, 8), 8, 6));
  }

  /** Rows of a number that depends on the image, as regions of a detector. */
  @Test
  void rowsOfSomeNumber() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String a = convolution(p, convolution(p, "x", 3, 8), 8, 6);
    String places =
        p.node(
            "Transpose",
            p.node(
                "NonZero",
                p.node(
                    "Greater",
                    p.node("ReduceMean", a, "axes=", new int[] {1, 2}, "keepdims=", 0),
                    p.number(0))));
    String rows =
        p.node("GatherND", p.node("Transpose", a, "perm=", new int[] {0, 3, 1, 2}), places);
    String flat = p.node("Flatten", rows);
    String h = p.node("Relu", p.node("Gemm", flat, p.weight(48, 300), p.weight(300)));
    OnnxCases.Outcome o = of(p, p.node("Gemm", h, p.weight(300, 5), p.weight(5)));
    assertTrue(o.carried().contains("1 NonZero"), o.toString());
  }

  @Test
  void betweenLayers() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String a = convolution(p, convolution(p, "x", 3, 8), 8, 6);
    String b = convolution(p, convolution(p, p.node("Asinh", a), 6, 8), 8, 6);
    String c = convolution(p, convolution(p, p.node("Atan", p.node("Add", a, b)), 6, 8), 8, 4);
    assertEquals("1 Asinh, 1 Atan", of(p, c).carried());
  }
}
