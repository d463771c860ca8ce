package dev.secateur.prune.criterion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Architectures;
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
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Scope;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Criteria on a whole network: against PyTorch, on both devices, leaving it as it was. */
class CriteriaTest {

  /** As scripts/make-criteria-fixtures.py draws them: blocks of 5 x 7 pixels. */
  record Blocks(int size, int width) implements Dataset {
    @Override
    public int channels() {
      return 3;
    }

    @Override
    public int height() {
      return width;
    }

    @Override
    public List<String> classNames() {
      return IntStream.range(0, 10).mapToObj(Integer::toString).toList();
    }

    @Override
    public int label(int index) {
      return index * 7 % 10;
    }

    @Override
    public boolean read(int index, ByteBuffer dst, int offset) {
      for (int k = 0; k < 3 * width * width; k++) {
        int channel = k / width / width;
        int h = ((index * 3 + channel) * 7 + k / width % width / 5) * 5 + k % width / 7;
        h *= (int) 2654435761L;
        h ^= h >>> 15;
        h *= (int) 2246822519L;
        dst.put(offset + k, (byte) (h ^ h >>> 13));
      }
      return true;
    }
  }

  private static ScoringData data(int images, int width, int batch) {
    Dataset all = new Blocks(images, width);
    return new ScoringData(all, images, batch, Pooling.MAX, ProgressListener.none());
  }

  static Stream<String> names() {
    return Criteria.names().stream();
  }

  private static Criterion named(String name) {
    return Criteria.named(name, new Criteria.Settings(Recipe.DEFAULT.scoring().pls(), 1));
  }

  /** As in scripts/make-criteria-fixtures.py. */
  private static double[] weave(int n, int seed) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      out[i] = Math.sin(i * 0.7311 + seed * 1.37) * Math.cos(i * 0.1173 + seed);
    }
    return out;
  }

  static Model woven(int width) {
    Model fresh = Architectures.create("resnet8", 10, 3, width, 1);
    Map<String, HostTensor> parameters = new LinkedHashMap<>(fresh.parameters());
    int k = 0;
    for (String name : fresh.parameters().keySet()) {
      if (ParameterShapes.trainable(name)) {
        Shape s = fresh.parameters().get(name).shape();
        double[] w = weave((int) s.elements(), k++);
        float[] d = new float[w.length];
        for (int i = 0; i < d.length; i++) {
          boolean weight = name.endsWith("weight");
          d[i] = (float) (s.rank() > 1 ? w[i] * 0.15 : weight ? 1 + 0.3 * w[i] : 0.2 * w[i] - 0.1);
        }
        parameters.put(name, new HostTensor(s, d));
      }
    }
    return new Model(fresh.graph(), parameters, Map.of());
  }

  @ParameterizedTest
  @CsvSource({
    "l1, 1e-5",
    "l1-sum, 1e-5",
    "outgoing, 1e-5",
    "l2, 1e-5",
    "fpgm, 1e-5",
    "bn-scale, 1e-6",
    "taylor, 5e-3",
    "hrank, 1e-6"
  })
  void scoresEqualPyTorchs(String name, double tolerance) throws IOException {
    JsonNode expected;
    try (InputStream in = getClass().getResourceAsStream("/criteria/resnet8.json")) {
      expected = Json.MAPPER.readTree(in).get(name);
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, woven(32))) {
      Importance got = score(name, net, data(8, 32, 4));
      assertEquals(name, got.criterion());
      assertEquals(expected.size(), got.byFilter().size());
      got.byFilter()
          .forEach(
              (layer, of) -> {
                assertEquals(expected.get(layer).size(), of.length, layer);
                for (int i = 0; i < of.length; i++) {
                  double want = expected.get(layer).get(i).asDouble();
                  assertEquals(want, of[i], tolerance * want + 1e-12, layer + ", filter " + i);
                }
              });
    }
  }

  /** Outputs of a hidden linear layer are scored as filters are, whose maps are single numbers. */
  @ParameterizedTest
  @MethodSource("names")
  void hiddenLinearLayersAreScored(String name) {
    List<Node> nodes =
        List.of(
            new Node("input", new Input(3, 8, 8), List.of()),
            new Node(
                "conv",
                new Convolution(4, 3, 3, ConvolutionSpec.of(2, 1), false),
                List.of("input")),
            new Node("norm", new BatchNorm(1e-5f, 0.1f), List.of("conv")),
            new Node("relu", new Activate(Activation.RELU), List.of("norm")),
            new Node("flat", new Flatten(), List.of("relu")),
            new Node("hidden", new Linear(6, true), List.of("flat")),
            new Node("hidden.norm", new BatchNorm(1e-5f, 0.1f), List.of("hidden")),
            new Node("hidden.relu", new Activate(Activation.RELU), List.of("hidden.norm")),
            new Node("head", new Linear(10, true), List.of("hidden.relu")));
    Graph graph = new Graph(nodes);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    int[] k = {0};
    ParameterShapes.of(graph)
        .forEach(
            (p, s) -> {
              double[] w = weave((int) s.elements(), k[0]++);
              float[] d = new float[w.length];
              boolean scale = p.startsWith("input.") || s.rank() == 1 && !p.endsWith("bias");
              for (int i = 0; i < d.length; i++) {
                d[i] = (float) (scale ? 1 + 0.3 * w[i] : 0.3 * w[i]);
              }
              parameters.put(p, new HostTensor(s, d));
            });
    List<String> layers = ChannelGroups.of(graph, Scope.ALL).layers();
    assertEquals(List.of("conv", "hidden"), layers);
    try (Device device = new CpuDevice();
        Network net = new Network(device, new Model(graph, parameters, Map.of()))) {
      Importance of = Importance.of(named(name), net, layers, data(60, 8, 20));
      float[] scores = of.byFilter().get("hidden");
      assertEquals(6, scores.length);
      double[] distinct = IntStream.range(0, 6).mapToDouble(i -> scores[i]).distinct().toArray();
      assertTrue(Arrays.stream(distinct).allMatch(Double::isFinite));
      assertTrue(distinct.length > 1 || name.equals("hrank"), Arrays.toString(scores));
    }
  }

  @ParameterizedTest
  @CsvSource({"one, false", "per-layer, false", "one, true", "per-layer, true"})
  void vipOfWeightedAveragesEqualsScikitLearns(String projections, boolean product)
      throws IOException {
    JsonNode expected;
    JsonNode l1;
    try (InputStream in = getClass().getResourceAsStream("/criteria/resnet8.json")) {
      JsonNode all = Json.MAPPER.readTree(in);
      expected = all.get("vip-" + projections);
      l1 = all.get("l1");
    }
    Recipe recipe =
        Recipe.DEFAULT
            .with("scoring.criterion", product ? "pls-vip*l1" : "pls-vip")
            .with("scoring.components", 2)
            .with("scoring.columns", "prunable")
            .with("scoring.pool", "avg")
            .with("scoring.features", "activation")
            .with("scoring.scale", "none")
            .with("scoring.weighting", "outgoing")
            .with("scoring.projections", projections);
    Dataset images = new Blocks(8, 32);
    try (Device device = new CpuDevice();
        Network net = new Network(device, woven(32))) {
      List<String> layers = ChannelGroups.of(net.graph(), Scope.PAPER).layers();
      ScoringData data =
          new ScoringData(images, 8, 4, recipe.scoring().pooling(), ProgressListener.none());
      Importance got = Importance.of(recipe.criterion(), net, layers, data);
      got.byFilter()
          .forEach(
              (layer, of) -> {
                for (int i = 0; i < of.length; i++) {
                  double want = expected.get(layer).get(i).asDouble();
                  want *= product ? l1.get(layer).get(i).asDouble() : 1;
                  assertEquals(want, of[i], 2e-3 * want + 1e-4, layer + ", filter " + i);
                }
              });
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void theNetworkStaysAsItWas(String name) {
    Model model = woven(16);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      Importance got = score(name, net, data(50, 16, 16));
      assertEquals(
          ChannelGroups.of(model.graph(), Scope.PAPER).layers(),
          List.copyOf(got.byFilter().keySet()),
          "all layers");
      Model after = net.toModel();
      model
          .parameters()
          .forEach((p, t) -> assertArrayEquals(t.data(), after.parameters().get(p).data(), p));
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void bothDevicesScoreTheSame(String name) {
    Model model = woven(16);
    Importance expected;
    Importance got;
    try (Device cpu = new CpuDevice();
        Network net = new Network(cpu, model)) {
      expected = score(name, net, data(50, 16, 16));
    }
    try (Device cuda = TestCuda.open();
        Network net = new Network(cuda, model)) {
      got = score(name, net, data(50, 16, 16));
    }
    double largest = 0;
    for (float[] of : expected.byFilter().values()) {
      for (float f : of) {
        largest = Math.max(largest, Math.abs(f));
      }
    }
    // fewer images than features: lasso's coefficients then turn on the last digits
    double near = 5e-3 * largest;
    expected
        .byFilter()
        .forEach(
            (layer, of) -> {
              for (int i = 0; i < of.length; i++) {
                assertEquals(of[i], got.byFilter().get(layer)[i], near, layer + ", filter " + i);
              }
            });
  }

  /** Images of noise with one label, or the same image with all labels, or none that is read. */
  private record Poor(int size, boolean oneClass, boolean readable) implements Dataset {
    @Override
    public int channels() {
      return 3;
    }

    @Override
    public int height() {
      return 16;
    }

    @Override
    public int width() {
      return 16;
    }

    @Override
    public List<String> classNames() {
      return IntStream.range(0, 10).mapToObj(Integer::toString).toList();
    }

    @Override
    public int label(int index) {
      return oneClass ? 3 : index % 10;
    }

    @Override
    public boolean read(int index, ByteBuffer dst, int offset) {
      if (oneClass) {
        return new Blocks(size, 16).read(index, dst, offset);
      }
      return readable && new Blocks(size, 16).read(7, dst, offset);
    }
  }

  private static final String ONE_IMAGE = "1 image to score on; it needs at least 2";
  private static final String ONE_CLASS = "are of one class; it needs at least 2 classes";
  private static final String ALIKE = "no filter's output differs between the 50 images";

  /** Criterion, data, and what the refusal says; empty where the data is enough. */
  static Stream<Arguments> poorData() {
    ScoringData oneImage = data(1, 16, 16);
    ScoringData oneClass = poor(new Poor(50, true, true));
    ScoringData alike = poor(new Poor(50, false, true));
    ScoringData unread = poor(new Poor(50, false, false));
    List<Arguments> out = new ArrayList<>();
    for (String name : Criteria.names()) {
      boolean looks = named(name).needsData();
      boolean one = name.equals("hrank");
      boolean features = looks && !List.of("hrank", "taylor").contains(name);
      boolean classes = features && !name.equals("inffs");
      out.add(Arguments.of(name, oneImage, looks && !one ? ONE_IMAGE : ""));
      out.add(Arguments.of(name, oneClass, classes ? ONE_CLASS : ""));
      out.add(Arguments.of(name, alike, features ? ALIKE : ""));
      String none = "0 images to score on; it needs at least " + (one ? 1 : 2);
      out.add(Arguments.of(name, unread, looks ? none : ""));
    }
    return out.stream();
  }

  private static ScoringData poor(Dataset images) {
    return new ScoringData(images, images.size(), 16, Pooling.MAX, ProgressListener.none());
  }

  @ParameterizedTest
  @MethodSource("poorData")
  void imagesThatDoNotSufficeAreRefusedAndOthersRankFilters(
      String name, ScoringData data, String refusal) {
    try (Device device = new CpuDevice();
        Network net = new Network(device, woven(16))) {
      if (refusal.isEmpty()) {
        List<Float> all = new ArrayList<>();
        for (float[] of : score(name, net, data).byFilter().values()) {
          for (float f : of) {
            all.add(f);
          }
        }
        assertTrue(all.stream().distinct().count() > 1, "the same score for every filter");
        return;
      }
      SecateurException e = assertThrows(SecateurException.class, () -> score(name, net, data));
      assertTrue(e.getMessage().startsWith("criterion " + name + ": "), e.getMessage());
      assertTrue(e.getMessage().contains(refusal), e.getMessage());
      assertEquals(1, e.getMessage().lines().count(), e.getMessage());
      assertFalse(e.getMessage().contains("--"), "options are the command line's");
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void aNetworkOfZerosRanksNoFilterOnImages(String name) {
    Model model = woven(16);
    Map<String, HostTensor> zero = new LinkedHashMap<>();
    model
        .parameters()
        .forEach(
            (p, t) ->
                zero.put(
                    p,
                    p.startsWith("input.") || p.endsWith("running_var")
                        ? t
                        : new HostTensor(t.shape(), new float[t.data().length])));
    try (Device device = new CpuDevice();
        Network net = new Network(device, new Model(model.graph(), zero, Map.of()))) {
      if (!named(name).needsData()) {
        score(name, net, data(20, 16, 16));
        return;
      }
      SecateurException e =
          assertThrows(SecateurException.class, () -> score(name, net, data(20, 16, 16)));
      assertTrue(e.getMessage().startsWith("criterion " + name + ": "), e.getMessage());
    }
  }

  @Test
  void featureMapsThatAreNotFiniteAreRefusedByLayer() {
    Model model = woven(16);
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    parameters.get("layer1.0.bn1.bias").data()[2] = Float.POSITIVE_INFINITY;
    try (Device device = new CpuDevice();
        Network net = new Network(device, new Model(model.graph(), parameters, Map.of()))) {
      SecateurException e =
          assertThrows(SecateurException.class, () -> score("hrank", net, data(4, 16, 4)));
      assertTrue(e.getMessage().contains("layer1.0.conv1 are not finite"), e.getMessage());
    }
  }

  @Test
  void randomScoresDependOnTheSeedAndNotOnTheOrderOfLayers() {
    Model model = woven(16);
    List<String> layers = ChannelGroups.of(model.graph(), Scope.PAPER).layers();
    List<String> reversed = new ArrayList<>(layers);
    Collections.reverse(reversed);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      Map<String, float[]> one = new RandomScores(1).score(net, layers, data(1, 16, 1));
      Map<String, float[]> again = new RandomScores(1).score(net, reversed, data(1, 16, 1));
      Map<String, float[]> two = new RandomScores(2).score(net, layers, data(1, 16, 1));
      for (String layer : layers) {
        assertArrayEquals(one.get(layer), again.get(layer), layer);
        assertFalse(java.util.Arrays.equals(one.get(layer), two.get(layer)), layer);
      }
    }
  }

  @Test
  void aConvolutionWithoutBatchNormHasNoBatchNormScale() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 8, 8), List.of()));
    Convolution c = new Convolution(4, 3, 3, ConvolutionSpec.of(1, 1), true);
    n.add(new Node("first", c, List.of("input")));
    n.add(new Node("relu", new Activate(Activation.RELU), List.of("first")));
    n.add(new Node("second", c, List.of("relu")));
    n.add(new Node("flat", new Flatten(), List.of("second")));
    n.add(new Node("fc", new Linear(10, true), List.of("flat")));
    Graph graph = new Graph(n);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, s) -> parameters.put(name, new HostTensor(s, new float[(int) s.elements()])));
    try (Device device = new CpuDevice();
        Network net = new Network(device, new Model(graph, parameters, Map.of()))) {
      SecateurException e =
          assertThrows(SecateurException.class, () -> score("bn-scale", net, data(4, 8, 4)));
      assertTrue(e.getMessage().contains("no batch norm behind the layer first"));
      assertArrayEquals(
          new float[4],
          score("l1", net, data(4, 8, 4)).byFilter().get("first"),
          "weights of zero are worth nothing");
    }
  }

  private static Importance score(String name, Network net, ScoringData data) {
    return Importance.of(
        named(name), net, ChannelGroups.of(net.graph(), Scope.PAPER).layers(), data);
  }
}
