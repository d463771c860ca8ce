package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.data.Dataset;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.Pooling;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Pool;
import dev.secateur.prune.criterion.ScoringData;
import dev.secateur.tensor.HostTensor;
import dev.secateur.train.ProgressListener;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Filters that a network can do without: found, and gone without a trace in its output. */
class DeadFiltersTest {
  private static final int IMAGES = 20;

  /** Noise. */
  private static final class Noise implements Dataset {
    @Override
    public int size() {
      return IMAGES;
    }

    @Override
    public int channels() {
      return 3;
    }

    @Override
    public int height() {
      return 8;
    }

    @Override
    public int width() {
      return 8;
    }

    @Override
    public List<String> classNames() {
      return List.of("a", "b", "c");
    }

    @Override
    public int label(int index) {
      return index % 3;
    }

    @Override
    public boolean read(int index, ByteBuffer dst, int offset) {
      SplittableRandom random = new SplittableRandom(index);
      for (int i = 0; i < 3 * 64; i++) {
        dst.put(offset + i, (byte) random.nextInt());
      }
      return true;
    }
  }

  private static Graph graph() {
    ConvolutionSpec padded = ConvolutionSpec.of(1, 1);
    ConvolutionSpec inside = ConvolutionSpec.of(1, 0);
    BatchNorm norm = new BatchNorm(1e-5f, 0.1f);
    Activate relu = new Activate(Activation.RELU);
    return new Graph(
        List.of(
            new Node("input", new Input(3, 8, 8), List.of()),
            new Node("a", new Convolution(6, 3, 3, padded, false), List.of("input")),
            new Node("an", norm, List.of("a")),
            new Node("ar", relu, List.of("an")),
            new Node("b", new Convolution(6, 3, 3, inside, false), List.of("ar")),
            new Node("bn", norm, List.of("b")),
            new Node("br", relu, List.of("bn")),
            new Node("c", new Convolution(6, 3, 3, padded, true), List.of("br")),
            new Node("cr", relu, List.of("c")),
            new Node("pool", new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 2, 2, 0)), List.of("cr")),
            new Node("flat", new Flatten(), List.of("pool")),
            new Node("d", new Linear(3, true), List.of("flat"))));
  }

  private static Model planted() {
    SplittableRandom random = new SplittableRandom(5);
    Map<String, HostTensor> out = new LinkedHashMap<>();
    ParameterShapes.of(graph())
        .forEach(
            (name, shape) -> {
              float[] v = new float[Math.toIntExact(shape.elements())];
              for (int i = 0; i < v.length; i++) {
                boolean positive = name.endsWith("_var") || name.endsWith("n.weight");
                v[i] = (float) (positive ? 0.5 + random.nextDouble() : random.nextDouble() - 0.4);
              }
              if (name.equals("input.std")) {
                Arrays.fill(v, 64);
              }
              out.put(name, new HostTensor(shape, v));
            });
    // a: 1 never fires, 2 is 0.7 everywhere (read without padding), 3 is 0 behind ReLU
    out.get("an.bias").data()[1] = -1e4f;
    out.get("an.weight").data()[2] = 0;
    out.get("an.bias").data()[2] = 0.7f;
    out.get("an.weight").data()[3] = 0;
    out.get("an.bias").data()[3] = -0.2f;
    // b: 0 never fires, 4 is 0.3 everywhere, but c pads: it stays
    out.get("bn.bias").data()[0] = -1e4f;
    out.get("bn.weight").data()[4] = 0;
    out.get("bn.bias").data()[4] = 0.3f;
    // c: 5 never fires, behind it a pool, a flatten and a linear layer
    out.get("c.bias").data()[5] = -1e6f;
    return new Model(graph(), out, Map.of());
  }

  private static Device open(String device) {
    return device.equals("cpu") ? new CpuDevice() : TestCuda.open();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void whatNeverFiresOrNeverChangesGoesAndNothingElseChanges(String device) {
    Dataset noise = new Noise();
    ScoringData data = new ScoringData(noise, IMAGES, 8, Pooling.MAX, ProgressListener.none());
    try (Device opened = open(device);
        Network net = new Network(opened, planted())) {
      DeadFilters dead =
          DeadFilters.find(net, ChannelGroups.of(net.graph(), Scope.ALL), Optional.of(data));
      Map<String, List<Integer>> found = new TreeMap<>();
      dead.removal().filters().forEach((l, f) -> found.put(l, Arrays.stream(f).boxed().toList()));
      assertEquals(Map.of("a", List.of(1, 2, 3), "b", List.of(0), "c", List.of(5)), found);
      try (Network alive = dead.removedFrom(net)) {
        float[] before = Zeroed.logits(opened, net.toModel());
        assertArrayEquals(before, Zeroed.logits(opened, alive.toModel()), 1e-3f);
      }
    }
  }

  /** Without a rectifier no image is looked at; a constant channel still goes. */
  @Test
  void aNetworkWithoutRectifiersLosesItsConstants() {
    Graph graph =
        new Graph(
            graph().nodes().stream()
                .map(n -> n.op() instanceof Activate ? identity(n) : n)
                .toList());
    Model model = new Model(graph, planted().parameters(), Map.of());
    for (String far : List.of("an.bias", "bn.bias", "c.bias")) { // not below 0 for a rectifier here
      float[] bias = model.parameters().get(far).data();
      for (int i = 0; i < bias.length; i++) {
        bias[i] = Math.max(bias[i], -1);
      }
    }
    ScoringData none = new ScoringData(new Noise(), 0, 8, Pooling.MAX, ProgressListener.none());
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      DeadFilters dead =
          DeadFilters.find(net, ChannelGroups.of(graph, Scope.ALL), Optional.of(none));
      assertEquals(0, dead.removal().of("b").length, "b is read with padding");
      assertArrayEquals(new int[] {2, 3}, dead.removal().of("a"));
      float[] before = Zeroed.logits(device, model);
      try (Network alive = dead.removedFrom(net)) {
        assertArrayEquals(before, Zeroed.logits(device, alive.toModel()), 1e-3f);
      }
    }
  }

  private static Node identity(Node n) {
    return new Node(n.name(), new Identity(), n.inputs());
  }
}
