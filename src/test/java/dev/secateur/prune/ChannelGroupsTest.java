package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Softmax;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Which filters hang together, on networks where that can be told by hand. */
class ChannelGroupsTest {
  private final List<Node> nodes = new ArrayList<>();

  private String add(String name, Op op, String... inputs) {
    nodes.add(new Node(name, op, List.of(inputs)));
    return name;
  }

  private String conv(String name, int width, int groups, String input) {
    ConvolutionSpec spec = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, groups);
    return add(name, new Convolution(width, 3, 3, spec, true), input);
  }

  private void head(String input) {
    add("pool", new GlobalPool(PoolSpec.Kind.AVERAGE), input);
    add("flat", new Flatten(), "pool");
    add("fc", new Linear(4, true), "flat");
  }

  private List<ChannelGroups.CoupledLayers> groups() {
    return ChannelGroups.of(new Graph(nodes), Scope.ALL).coupledLayers();
  }

  private static String shape(List<ChannelGroups.CoupledLayers> groups) {
    StringBuilder out = new StringBuilder();
    for (ChannelGroups.CoupledLayers g : groups) {
      out.append(g.groups()).append(' ').append(String.join("+", g.layers())).append("; ");
    }
    return out.toString();
  }

  @Test
  void optionAShortcutsCoupleTheMiddleOfAStageWithTheStageBefore() {
    List<ChannelGroups.CoupledLayers> groups =
        ChannelGroups.of(Architectures.graph("resnet8", 10, 3, 32), Scope.ALL).coupledLayers();
    // channels 8..23 of stage 2 are stage 1's 16; channels 16..47 of stage 3 are stage 2's 32
    assertEquals(
        "16 conv1+layer1.0.conv2+layer2.0.conv2+layer3.0.conv2; 16 layer1.0.conv1; "
            + "32 layer2.0.conv1; 16 layer2.0.conv2+layer3.0.conv2; 64 layer3.0.conv1; "
            + "32 layer3.0.conv2; ",
        shape(groups));
    assertEquals(64, groups.get(0).filters());
    assertEquals(
        List.of("layer1.0.add", "layer2.0.add", "layer3.0.add"), groups.get(0).coupledBy());
    assertEquals(List.of(), groups.get(1).coupledBy());
    ChannelGroups r20 = ChannelGroups.of(Architectures.graph("resnet20", 10, 3, 32), Scope.ALL);
    assertEquals(16 + 3 * 16 + 16 + 3 * 32 + 32 + 3 * 64, r20.size());
    assertEquals(16 + 6 * (16 + 32 + 64), r20.filters(), "every filter");
  }

  @Test
  void projectionsCoupleEachStageOnItsOwn() {
    List<ChannelGroups.CoupledLayers> groups =
        ChannelGroups.of(Architectures.graph("resnet50", 10, 3, 224), Scope.ALL).coupledLayers();
    assertEquals(1 + 4 + 32, groups.size(), "the stem, a stage each, and what is inside blocks");
    ChannelGroups.CoupledLayers stage =
        groups.stream().filter(g -> g.layers().contains("layer2.0.conv3")).findFirst().get();
    assertEquals(
        List.of(
            "layer2.0.conv3",
            "layer2.0.downsample.0",
            "layer2.1.conv3",
            "layer2.2.conv3",
            "layer2.3.conv3"),
        stage.layers());
    assertEquals(512, stage.groups());
    assertEquals(5 * 512, stage.filters());
  }

  @Test
  void plainNetworksHaveAUnitAFilterUpToTheFlatten() {
    ChannelGroups units = ChannelGroups.of(Architectures.graph("vgg11", 10, 3, 224), Scope.ALL);
    assertEquals(units.filters(), units.size());
    assertEquals(10, units.layers().size(), "the last convolution and hidden linear layers too");
    assertTrue(units.layers().containsAll(List.of("classifier.0", "classifier.3")));
    assertTrue(units.coupledLayers().stream().allMatch(g -> g.coupledBy().isEmpty()));
  }

  @Test
  void concatenationCouplesNothing() {
    add("input", new Input(3, 8, 8));
    String x = conv("stem", 6, 1, "input");
    for (int i = 0; i < 3; i++) {
      add("norm" + i, new BatchNorm(1e-5f, 0.1f), x);
      add("relu" + i, new Activate(Activation.RELU), "norm" + i);
      conv("dense" + i, 4, 1, "relu" + i);
      x = add("cat" + i, new Concat(), x, "dense" + i);
    }
    head(x);
    assertEquals("6 stem; 4 dense0; 4 dense1; 4 dense2; ", shape(groups()));
    removeAndCompare(new Removal(Map.of("stem", new int[] {0, 5}, "dense0", new int[] {2})));
  }

  @Test
  void groupsOfAConvolutionStayEquallyLarge() {
    add("input", new Input(3, 8, 8));
    conv("a", 8, 1, "input");
    conv("b", 12, 4, "a");
    conv("c", 5, 1, "b");
    head("c");
    List<ChannelGroups.CoupledLayers> groups = groups();
    assertEquals("2 a; 3 b; 5 c; ", shape(groups));
    assertEquals(List.of("b"), groups.get(0).coupledBy());
    assertEquals(8, groups.get(0).filters());
    Model smaller =
        removeAndCompare(
            new Removal(Map.of("a", new int[] {1, 3, 5, 7}, "b", new int[] {0, 3, 6, 9})));
    assertEquals(4, ((Convolution) smaller.graph().node("b").op()).spec().groups());
    assertEquals("8x1x3x3", smaller.parameters().get("b.weight").shape().toString());
    // what hangs together with a listed filter goes without being listed
    assertEquals(
        smaller.graph().nodes(),
        Surgery.shrink(
                new Graph(nodes), new Removal(Map.of("a", new int[] {1}, "b", new int[] {0})))
            .nodes());
  }

  @Test
  void depthwiseConvolutionsFollowTheirInput() {
    add("input", new Input(3, 8, 8));
    conv("expand", 6, 1, "input");
    conv("depthwise", 12, 6, "expand");
    conv("project", 4, 1, "depthwise");
    head("project");
    assertEquals("6 expand+depthwise; 4 project; ", shape(groups()));
    Model smaller =
        removeAndCompare(
            new Removal(Map.of("expand", new int[] {0, 4}, "depthwise", new int[] {0, 1, 8, 9})));
    assertEquals(4, ((Convolution) smaller.graph().node("depthwise").op()).spec().groups());
    assertEquals("8x1x3x3", smaller.parameters().get("depthwise.weight").shape().toString());
  }

  @Test
  void squeezeAndExcitationGoesWithWhatItGates() {
    add("input", new Input(3, 8, 8));
    conv("a", 6, 1, "input");
    add("squeeze", new GlobalPool(PoolSpec.Kind.AVERAGE), "a");
    conv("fc1", 3, 1, "squeeze");
    add("relu", new Activate(Activation.RELU), "fc1");
    conv("fc2", 6, 1, "relu");
    add("gate", new Elementwise(ElementwiseSpec.of(ElementwiseSpec.Kind.SIGMOID)), "fc2");
    add("scale", new Multiply(), "a", "gate");
    conv("b", 4, 1, "scale");
    head("b");
    List<ChannelGroups.CoupledLayers> groups = groups();
    assertEquals("6 a+fc2; 3 fc1; 4 b; ", shape(groups));
    assertEquals(List.of("scale"), groups.get(0).coupledBy());
    removeAndCompare(
        new Removal(Map.of("a", new int[] {1, 2}, "fc2", new int[] {1, 2}, "fc1", new int[] {0})));
  }

  @Test
  void shufflesAreFollowedChannelByChannel() {
    add("input", new Input(3, 8, 8));
    conv("a", 4, 1, "input");
    conv("b", 4, 1, "input");
    add("cat", new Concat(), "a", "b");
    add("shuffle", new SelectChannels(List.of(0, 4, 1, 5, 2, 6, 3, 7)), "cat");
    add("left", new SelectChannels(List.of(0, 1, 2, 3)), "shuffle");
    add("right", new SelectChannels(List.of(4, 5, 6, 7)), "shuffle");
    add("sum", new Add(), "left", "right");
    head("sum");
    // left is a0 b0 a1 b1, right is a2 b2 a3 b3
    List<ChannelGroups.CoupledLayers> groups = groups();
    assertEquals("2 a; 2 b; ", shape(groups));
    assertEquals(List.of("sum"), groups.get(0).coupledBy());
    Model smaller = removeAndCompare(new Removal(Map.of("a", new int[] {1, 3})));
    assertEquals(
        new SelectChannels(List.of(0, 2, 3, 1, 4, 5)), smaller.graph().node("shuffle").op());
  }

  @Test
  void whatAFunctionMakesOfAZeroGoesWithTheChannel() {
    add("input", new Input(3, 8, 8));
    conv("a", 6, 1, "input");
    add("sigmoid", new Elementwise(ElementwiseSpec.of(ElementwiseSpec.Kind.SIGMOID)), "a");
    conv("b", 4, 1, "sigmoid");
    head("b");
    Model model = random(new Graph(nodes));
    Removal removed = new Removal(Map.of("a", new int[] {1, 2}));
    try (Device device = new CpuDevice()) {
      Model pruned = Surgery.remove(model, removed);
      Model zeroed =
          Zeroed.changed(
              Zeroed.model(model, removed),
              (name, d) -> {
                for (int i = 0; name.equals("b.weight") && i < d.length; i++) {
                  int channel = i / 9 % 6;
                  d[i] = channel == 1 || channel == 2 ? 0 : d[i];
                }
              });
      Zeroed.assertEqual(Zeroed.logits(device, zeroed), Zeroed.logits(device, pruned));
    }
  }

  @Test
  void whatCountsInASumOrIsSeenFromOutsideIsFixed() {
    add("input", new Input(3, 8, 8));
    conv("a", 6, 1, "input");
    add("ln", new LayerNorm(1e-5f), "a");
    conv("b", 4, 1, "ln");
    add("soft", new Softmax(), "b");
    conv("c", 3, 1, "soft");
    add("plus", new Add(), "c", "input");
    conv("out", 2, 1, "plus");
    assertEquals("", shape(groups()));
    Removal removed = new Removal(Map.of("a", new int[] {0}));
    Graph graph = new Graph(nodes);
    assertThrows(IllegalArgumentException.class, () -> Surgery.shrink(graph, removed));
  }

  @Test
  void linearFeaturesThatAreAddedToChannelsGoWithThem() {
    add("input", new Input(3, 4, 4));
    conv("a", 5, 1, "input");
    add("flat", new Flatten(), "a");
    add("fc1", new Linear(5, true), "flat");
    add("pool", new GlobalPool(PoolSpec.Kind.MAX), "a");
    add("flat2", new Flatten(), "pool");
    add("sum", new Add(), "fc1", "flat2");
    add("fc2", new Linear(3, true), "sum");
    assertEquals("5 a+fc1; ", shape(groups()));
    Model model = random(new Graph(nodes));
    try (Device device = new CpuDevice()) {
      Model pruned = Surgery.remove(model, new Removal(Map.of("a", new int[] {0, 3})));
      assertEquals("3x48", pruned.parameters().get("fc1.weight").shape().toString());
      Model zeroed =
          Zeroed.changed(
              Zeroed.model(model, new Removal(Map.of("a", new int[] {0, 3}))),
              (name, d) -> {
                if (name.startsWith("fc1.")) {
                  int each = d.length / 5;
                  Arrays.fill(d, 0, each, 0);
                  Arrays.fill(d, 3 * each, 4 * each, 0);
                }
              });
      Zeroed.assertEqual(Zeroed.logits(device, zeroed), Zeroed.logits(device, pruned));
    }
  }

  @Test
  void scoresOfAUnitAreMeanMaximumOrSum() {
    float[] s = {1, 4, 1};
    assertEquals(2, GroupReduction.MEAN.of(s));
    assertEquals(4, GroupReduction.MAX.of(s));
    assertEquals(6, GroupReduction.SUM.of(s));
  }

  /** Removes filters from the network with random weights and compares it with the zeroed one. */
  private Model removeAndCompare(Removal removed) {
    Model model = random(new Graph(nodes));
    try (Device device = new CpuDevice()) {
      Model pruned = Surgery.remove(model, removed);
      removed
          .filters()
          .forEach(
              (name, f) ->
                  assertEquals(
                      model.graph().shape(name).dim(1) - f.length,
                      pruned.graph().shape(name).dim(1)));
      assertArrayEquals(
          model.graph().nodes().stream().map(Node::name).toArray(),
          pruned.graph().nodes().stream().map(Node::name).toArray());
      Zeroed.assertEqual(device, model, removed, pruned);
      return pruned;
    }
  }

  private static Model random(Graph graph) {
    return RandomGraph.model(graph, new SplittableRandom(3));
  }
}
