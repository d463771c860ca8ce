package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SettingException;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.latency.FakeLatency;
import dev.secateur.prune.latency.LatencyGoal;
import dev.secateur.prune.latency.LatencyModel;
import dev.secateur.prune.latency.LatencySelector;
import dev.secateur.prune.latency.StepLatency;
import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Residual blocks go whole, and what is left computes what it did with a branch of zeros. */
class ResidualBlocksTest {
  private static final StepLatency CLOCK = new FakeLatency(8, 0.05);

  private static Model model(String name) {
    return Zeroed.shifted(Architectures.create(name, 10, 3, 32, 1));
  }

  /** What a norm in front of a block's addition puts out becomes zero. */
  private static Model silenced(Model m, List<String> blocks) {
    Map<String, HostTensor> out = new LinkedHashMap<>(m.parameters());
    for (String block : blocks) {
      for (String in : m.graph().node(block).inputs()) {
        if (m.graph().node(in).op() instanceof BatchNorm) {
          for (String part : List.of(".weight", ".bias")) {
            HostTensor t = out.get(in + part);
            out.put(in + part, new HostTensor(t.shape(), new float[t.data().length]));
          }
        }
      }
    }
    return new Model(m.graph(), out, m.metadata());
  }

  @ParameterizedTest
  @CsvSource({"resnet20, 7", "resnet20b, 7", "resnet18, 5", "resnet50, 12"})
  void theNetworkWithoutThemEqualsTheOneWithTheirBranchesZero(String name, int blocks) {
    Model model = model(name);
    ResidualBlocks all = ResidualBlocks.of(model.graph());
    assertEquals(blocks, all.names().size(), all.names().toString());
    List<String> some = new ArrayList<>();
    for (int i = 0; i < blocks; i++) {
      if (i % 3 != 1) {
        some.add(all.names().get(i));
      }
    }
    Removal removal = ResidualBlocks.removal(some);
    Model smaller = Surgery.remove(model, removal);
    assertTrue(smaller.parameters().keySet().stream().allMatch(smaller.graph()::owns));
    assertEquals(
        some.stream().mapToInt(b -> all.filters(b).size()).sum(),
        ChannelGroups.convolutions(model.graph()).size()
            - ChannelGroups.convolutions(smaller.graph()).size());
    long relus =
        smaller.graph().nodes().stream()
            .filter(n -> n.op() instanceof Activate)
            .filter(n -> smaller.graph().node(n.inputs().get(0)).op() instanceof Activate)
            .count();
    assertEquals(0, relus, "none twice");
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        Network cut = Surgery.remove(net, removal)) {
      float[] expected = Zeroed.logits(device, silenced(model, some));
      Zeroed.assertEqual(expected, Zeroed.logits(device, smaller));
      Zeroed.assertEqual(expected, Zeroed.logits(device, cut.toModel()));
      Zeroed.assertEqual(expected, Zeroed.logits(device, SurgeryProof.zeroed(model, removal)));
      assertNotEquals(Zeroed.logits(device, model)[0], expected[0], "they do something");
    }
  }

  @Test
  void withFiltersTheyAreFoundAgain() {
    Model model = model("resnet20");
    List<String> blocks = ResidualBlocks.of(model.graph()).names().subList(1, 3);
    Model some = Surgery.remove(model, ResidualBlocks.removal(blocks));
    Removal filters = Zeroed.random(some.graph(), Scope.ALL, new SplittableRandom(1)).lowest(0.3);
    Map<String, int[]> both = new LinkedHashMap<>(ResidualBlocks.removal(blocks).filters());
    both.putAll(filters.filters());
    Model smaller = Surgery.remove(model, new Removal(both));
    Removal found = SurgeryProof.removed(model, smaller);
    assertEquals(new Removal(both), found);
    try (Device device = new CpuDevice()) {
      Zeroed.assertEqual(
          Zeroed.logits(device, SurgeryProof.zeroed(model, found)), Zeroed.logits(device, smaller));
    }
  }

  private static Node conv(String name, String in) {
    return new Node(name, new Convolution(4, 3, 3, ConvolutionSpec.of(1, 1), false), List.of(in));
  }

  @Test
  void whatLeadsInOrOutElsewhereIsNoBlock() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 8, 8), List.of()));
    n.add(conv("stem", "input"));
    n.add(conv("a", "stem"));
    n.add(conv("b", "a"));
    n.add(new Node("sum", new Add(), List.of("b", "stem")));
    n.add(conv("c", "sum"));
    n.add(new Node("late", new Add(), List.of("c", "a"))); // a is read out of its branch
    n.add(conv("d", "late"));
    n.add(conv("side", "input"));
    n.add(new Node("two", new Add(), List.of("d", "side"))); // two ways from the image
    n.add(new Node("relu", new Activate(Activation.RELU), List.of("two")));
    n.add(conv("e", "relu"));
    n.add(new Node("good", new Add(), List.of("relu", "e")));
    n.add(conv("f", "good"));
    n.add(new Node("end", new Add(), List.of("f", "good"))); // the output keeps its name
    Graph graph = new Graph(n);
    assertEquals(List.of("good"), ResidualBlocks.of(graph).names());
    assertEquals(List.of(), ResidualBlocks.of(graph, f -> f.equals("e")).names());
    assertThrows(
        IllegalArgumentException.class,
        () -> Surgery.shrink(graph, ResidualBlocks.removal(List.of("late"))));
    Graph left = Surgery.shrink(graph, ResidualBlocks.removal(List.of("good")));
    assertEquals(List.of("relu"), left.node("f").inputs());
    assertEquals(List.of("f", "relu"), left.node("end").inputs());
  }

  /** Filters by their number, blocks as told. */
  private static Importance importance(Graph graph, ChannelGroups groups, float... blocks) {
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String layer : groups.layers()) {
      float[] of = new float[graph.shape(layer).size(1)];
      for (int i = 0; i < of.length; i++) {
        of[i] = i;
      }
      out.put(layer, of);
    }
    List<String> names = ResidualBlocks.of(graph).names();
    for (int i = 0; i < names.size(); i++) {
      out.put(names.get(i), new float[] {i < blocks.length ? blocks[i] : 1000});
    }
    return new Importance("made up", out);
  }

  @Test
  void blocksGoWhereFiltersOfNoLessImportanceWould() {
    Graph graph = Architectures.graph("resnet20", 10, 3, 32);
    Recipe recipe = Recipe.DEFAULT.with("choice.scope", "paper+blocks");
    // stages of 16, 32, 64 filters inside of blocks: 3 each, 2 removable but in the first, 3
    ChannelGroups groups = recipe.groups(graph);
    assertEquals(336, groups.filters());
    assertEquals(343, recipe.prunable(graph));
    Removal none = new BlockSelection(recipe, graph, graph, importance(graph, groups)).lowest(0.2);
    assertTrue(ResidualBlocks.in(graph, none).isEmpty(), "too important");
    assertEquals(67, none.size());
    // the first block matters like filter 2, its 16 filters are a part of the 67
    Removal one =
        new BlockSelection(recipe, graph, graph, importance(graph, groups, 2)).lowest(0.2);
    assertEquals(List.of(ResidualBlocks.of(graph).names().get(0)), ResidualBlocks.in(graph, one));
    assertEquals(67 - 16, one.size() - 1);
    Recipe alone = Recipe.DEFAULT.with("choice.scope", "blocks");
    assertEquals(0, alone.groups(graph).filters());
    Removal two =
        new BlockSelection(alone, graph, graph, importance(graph, groups, 3, 1, 2)).lowest(0.3);
    List<String> names = ResidualBlocks.of(graph).names();
    assertEquals(List.of(names.get(1), names.get(2)), ResidualBlocks.in(graph, two));
    assertThrows(
        SettingException.class,
        () -> alone.with("choice.threshold", "share"),
        "shares are of filters");
  }

  @Test
  void targetsAreReachedByBothOrByBlocksAlone() {
    Model model = model("resnet20");
    Graph graph = model.graph();
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      for (String scope : List.of("paper+blocks", "all+blocks", "blocks")) {
        Recipe recipe =
            Recipe.DEFAULT
                .with("choice.scope", scope)
                .with("stop.macs", 0.6)
                .with("stop.iterations", 1);
        RatioSelector selector = new RatioSelector(recipe);
        selector.checkPossible(graph);
        ChannelGroups groups = recipe.groups(graph);
        Removal removal =
            selector.select(graph, net, groups, importance(graph, groups, 5, 3, 1, 2, 4));
        double part =
            Cost.of(Surgery.shrink(graph, removal)).macs() / (double) Cost.of(graph).macs();
        assertTrue(part <= 0.6 && part > 0.45, scope + ": " + part);
        assertTrue(!ResidualBlocks.in(graph, removal).isEmpty(), scope);
        assertEquals(
            scope.equals("blocks"),
            removal.size() == ResidualBlocks.in(graph, removal).size(),
            scope);
      }
      Recipe far = Recipe.DEFAULT.with("choice.scope", "blocks").with("stop.macs", 0.01);
      assertThrows(SettingException.class, () -> new RatioSelector(far).checkPossible(graph));
    }
  }

  @Test
  void theKnapsackWeighsBlocksAgainstFilters() {
    Model model = model("resnet20");
    Graph graph = model.graph();
    try (Device device = new CpuDevice();
        Network net = new Network(device, model)) {
      for (float worth : new float[] {0.01f, 1e6f}) {
        Recipe recipe =
            Recipe.DEFAULT
                .with("choice.scope", "paper+blocks")
                .with("stop.latency", 0.7)
                .with("stop.iterations", 1);
        LatencyGoal goal =
            new LatencyGoal(recipe.stop().latency().orElseThrow(), CLOCK, Optional.empty());
        LatencySelector selector = new LatencySelector(recipe, goal, model);
        selector.checkPossible(graph);
        ChannelGroups groups = recipe.groups(graph);
        float[] blocks = new float[7];
        Arrays.fill(blocks, worth);
        Removal removal = selector.select(graph, net, groups, importance(graph, groups, blocks));
        double part =
            LatencyModel.of(Surgery.shrink(graph, removal), CLOCK) / LatencyModel.of(graph, CLOCK);
        assertTrue(part <= 0.7, part + " of the time");
        assertEquals(worth > 1, ResidualBlocks.in(graph, removal).isEmpty(), "worth " + worth);
      }
    }
  }
}
