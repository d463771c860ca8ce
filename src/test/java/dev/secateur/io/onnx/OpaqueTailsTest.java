package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.nn.Model;
import dev.secateur.prune.RandomGraph;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Networks drawn at random with tails of operators that are no layers here, from any of their
 * values, and several outputs: read, written again, pruned, and compared in ONNX Runtime.
 */
class OpaqueTailsTest {
  /** More by -Dsecateur.test.networks=N. */
  private static final int NETWORKS = Integer.getInteger("secateur.test.networks", 50);

  private static final List<String> UNKNOWN = List.of("Asinh", "Sin", "Atan", "Cos");

  @TempDir Path dir;

  @Test
  void outputsAreThoseOfTheFile() throws IOException, OrtException {
    int pruned = 0;
    int several = 0;
    int refused = 0;
    for (int seed = 0; seed < NETWORKS; seed++) {
      Path file = Files.write(dir.resolve("m.onnx"), drawn(seed).toByteArray());
      OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
      if (o.refused().isPresent()) { // no two layers are in front of what is unknown
        assertTrue(o.refused().get().contains("is not supported"), seed + ": " + o);
        refused++;
        continue;
      }
      assertTrue(o.exported() <= 1e-5, "network " + seed + ": " + o);
      o.pruned().values().forEach(p -> assertTrue(p.difference() <= 1e-5, o.toString()));
      pruned += o.pruned().values().stream().anyMatch(p -> p.parameters() < 1) ? 1 : 0;
      several += o.carried().contains(",") ? 1 : 0;
    }
    assertTrue(refused <= NETWORKS / 20, refused + " were refused");
    assertTrue(pruned > NETWORKS / 2, pruned + " were pruned");
    assertTrue(several > NETWORKS / 2, several + " with several operators");
  }

  private OnnxMl.ModelProto drawn(int seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    Model model = RandomGraph.draw(seed);
    OnnxMl.ModelProto.Builder m = OnnxCases.foreign(model, dir);
    OnnxMl.GraphProto.Builder g = m.getGraphBuilder();
    List<String> values = new ArrayList<>();
    for (OnnxMl.NodeProto n : g.getNodeList()) {
      if (OnnxCases.layer(model, n)) {
        values.add(n.getOutput(0));
      }
    }
    if (random.nextInt(3) == 0) {
      g.clearOutput(); // nothing but tails
    }
    int tails = 1 + random.nextInt(3);
    for (int t = 0; t < tails; t++) {
      String x = values.get(random.nextInt(values.size()));
      if (random.nextInt(3) == 0) {
        String y = values.get(random.nextInt(values.size()));
        x = node(g, "Concat", flat(g, x), flat(g, y));
      } else if (random.nextInt(2) == 0) {
        x = flat(g, x);
      }
      for (int k = random.nextInt(3); k >= 0; k--) {
        x = node(g, UNKNOWN.get(random.nextInt(UNKNOWN.size())), x);
      }
      g.addOutput(
          OnnxMl.ValueInfoProto.newBuilder()
              .setName(x)
              .setType(
                  OnnxMl.TypeProto.newBuilder()
                      .setTensorType(OnnxMl.TypeProto.Tensor.newBuilder().setElemType(1))));
    }
    return m.build();
  }

  private static String flat(OnnxMl.GraphProto.Builder g, String x) {
    return node(g, "Flatten", x);
  }

  private static String node(OnnxMl.GraphProto.Builder g, String type, String... inputs) {
    String name = "tail." + g.getNodeCount();
    OnnxMl.NodeProto.Builder n =
        g.addNodeBuilder()
            .setOpType(type)
            .setName(name)
            .addOutput(name)
            .addAllInput(List.of(inputs));
    if (type.equals("Concat")) {
      n.addAttribute(
          OnnxMl.AttributeProto.newBuilder()
              .setName("axis")
              .setI(1)
              .setType(OnnxMl.AttributeProto.AttributeType.INT));
    }
    return name;
  }
}
