package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.onnxruntime.OrtException;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.GroupReduction;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An exported network computes in ONNX Runtime what it computes here, for any batch size. */
class OnnxExportTest {
  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({
    "resnet8, 3, 32",
    "resnet20, 1, 28",
    "resnet14b, 3, 32",
    "resnet18, 3, 64",
    "resnet50, 3, 32",
    "vgg11_bn_cifar, 3, 32"
  })
  void architecturesBeforeAndAfterPruning(String name, int channels, int size)
      throws IOException, OrtException {
    Model model = randomised(Architectures.graph(name, 10, channels, size));
    same(model);
    SplittableRandom random = new SplittableRandom(2);
    Map<String, float[]> scores = new LinkedHashMap<>();
    ChannelGroups units = ChannelGroups.of(model.graph(), Scope.PAPER);
    for (String c : units.layers()) {
      float[] s = new float[model.graph().shape(c).size(1)];
      for (int i = 0; i < s.length; i++) {
        s[i] = random.nextFloat();
      }
      scores.put(c, s);
    }
    try (Device device = new CpuDevice()) {
      Selection selection =
          new Selection(
              units,
              units.importance(new Importance("", scores), GroupReduction.MEAN),
              Constraints.NONE,
              model.graph());
      same(Surgery.remove(model, selection.lowest(0.3)));
    }
  }

  @Test
  void everyOp() throws IOException, OrtException {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 9, 11), List.of()));
    n.add(node("c1", new Convolution(6, 3, 3, ConvolutionSpec.of(1, 1), true), "input"));
    n.add(node("r1", new Activate(Activation.RELU6), "c1"));
    ConvolutionSpec grouped = new ConvolutionSpec(2, 1, 1, 2, 1, 0, 1, 1, 2);
    n.add(node("c2", new Convolution(4, 3, 3, grouped, false), "r1"));
    ConvolutionSpec dilated = new ConvolutionSpec(2, 1, 2, 2, 2, 2, 2, 2, 1);
    n.add(node("c3", new Convolution(5, 3, 3, dilated, true), "r1"));
    n.add(node("cat", new Concat(), "c2", "c3"));
    n.add(node("bn", new BatchNorm(1e-3f, 0.1f), "cat"));
    n.add(node("max", new Pool(new PoolSpec(PoolSpec.Kind.MAX, 3, 3, 1, 1, 1, 1, 1, 1)), "bn"));
    PoolSpec.Kind inside = PoolSpec.Kind.AVERAGE;
    PoolSpec.Kind counted = PoolSpec.Kind.AVERAGE_INCLUDE_PADDING;
    n.add(node("a1", new Pool(PoolSpec.square(inside, 3, 2, 1)), "max"));
    n.add(node("a2", new Pool(PoolSpec.square(counted, 3, 2, 1)), "max"));
    n.add(node("add", new Add(), "a1", "a2"));
    n.add(node("short", new Shortcut(2, 1, 2), "add"));
    n.add(node("id", new Identity(), "short"));
    n.add(node("peak", new GlobalPool(PoolSpec.Kind.MAX), "id"));
    n.add(node("mean", new GlobalPool(PoolSpec.Kind.AVERAGE), "id"));
    n.add(node("both", new Concat(), "peak", "mean"));
    n.add(node("flat", new Flatten(), "both"));
    n.add(node("fc", new Linear(7, false), "flat"));
    same(randomised(new Graph(n)));
  }

  @Test
  void aRealNetworkOnRealImages() throws IOException, OrtException {
    Path file = Path.of("..", "shared", "data", "pretrained", "resnet56-4bfd9763.th");
    Assumptions.assumeTrue(Files.exists(file), file + " is absent: skipped");
    same(Models.importPyTorch(file, "resnet56", Optional.empty()));
  }

  @Test
  void safetensorsComeBackAsTheSameNetwork() throws IOException {
    Model model = randomised(Architectures.graph("resnet8", 10, 3, 32));
    Path file = dir.resolve("m.safetensors");
    Models.exportSafetensors(model, file);
    Model back = Models.importPyTorch(file, "resnet8", Optional.empty());
    model
        .parameters()
        .forEach(
            (name, t) -> {
              if (!name.startsWith("input.")) {
                assertEquals(
                    FloatBuffer.wrap(t.data()),
                    FloatBuffer.wrap(back.parameters().get(name).data()),
                    name);
              }
            });
  }

  private static Node node(String name, Op op, String... inputs) {
    return new Node(name, op, List.of(inputs));
  }

  private static Model randomised(Graph graph) {
    SplittableRandom random = new SplittableRandom(3);
    Map<String, HostTensor> out = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              float[] d = new float[(int) shape.elements()];
              double std = shape.rank() > 1 ? Math.sqrt(2.0 * shape.dim(0) / d.length) : 0.2;
              boolean positive = name.endsWith(".weight") || name.endsWith("_var");
              for (int i = 0; i < d.length; i++) {
                double r = random.nextDouble(-1, 1);
                d[i] = (float) (std * r * 1.7 + (shape.rank() == 1 && positive ? 1 : 0));
                if (name.startsWith("input.")) {
                  d[i] = (float) (name.endsWith("mean") ? 120 + 10 * r : 60 + 10 * r);
                }
              }
              out.put(name, new HostTensor(shape, d));
            });
    return new Model(graph, out, Map.of("made by", "a test"));
  }

  private void same(Model model) throws IOException, OrtException {
    Path file = dir.resolve("m.onnx");
    Models.exportOnnx(model, file);
    for (int batch : new int[] {1, 3}) {
      Shape image = model.graph().shape(model.graph().input().name());
      byte[] pixels = new byte[(int) image.elements() * batch];
      new SplittableRandom(batch).nextBytes(pixels);
      OnnxComparison.Logits l = OnnxComparison.logits(model, file, pixels, batch);
      assertEquals(l.ours().length, l.onnxRuntime().length);
      double scale = 1;
      for (float v : l.ours()) {
        scale = Math.max(scale, Math.abs(v));
      }
      assertArrayEquals(l.ours(), l.onnxRuntime(), (float) (1e-4 * scale));
    }
  }
}
