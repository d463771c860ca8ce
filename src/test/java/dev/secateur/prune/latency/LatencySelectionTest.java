package dev.secateur.prune.latency;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferencePlan;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.GroupReduction;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The latency knapsack on networks, with times made up. */
class LatencySelectionTest {
  private static final ConvolutionSpec SAME = ConvolutionSpec.of(1, 1);

  private static Node conv(String name, int width, String input) {
    return new Node(name, new Convolution(width, 3, 3, SAME, true), List.of(input));
  }

  private static Node relu(String name, String input) {
    return new Node(name, new Activate(Activation.RELU), List.of(input));
  }

  private static List<Node> ending(List<Node> body, String last) {
    List<Node> out = new ArrayList<>(body);
    out.add(new Node("pool", new GlobalPool(PoolSpec.Kind.AVERAGE), List.of(last)));
    out.add(new Node("flat", new Flatten(), List.of("pool")));
    out.add(new Node("linear", new Linear(4, true), List.of("flat")));
    return out;
  }

  /** Three residual blocks, whose insides are wide as given. */
  private static Graph blocks(int... widths) {
    List<Node> nodes = new ArrayList<>();
    nodes.add(new Node("input", new Input(3, 8, 8), List.of()));
    nodes.add(conv("first", 6, "input"));
    String from = "first";
    for (int i = 0; i < widths.length; i++) {
      nodes.add(conv("in" + i, widths[i], from));
      nodes.add(relu("relu" + i, "in" + i));
      nodes.add(conv("out" + i, 6, "relu" + i));
      nodes.add(new Node("add" + i, new Add(), List.of("out" + i, from)));
      from = "add" + i;
    }
    return new Graph(ending(nodes, from));
  }

  /** A chain: each layer reads what the one before it puts out. */
  private static Graph chain(int... widths) {
    List<Node> nodes = new ArrayList<>();
    nodes.add(new Node("input", new Input(3, 8, 8), List.of()));
    String from = "input";
    for (int i = 0; i < widths.length; i++) {
      nodes.add(conv("conv" + i, widths[i], from));
      nodes.add(relu("relu" + i, "conv" + i));
      from = "relu" + i;
    }
    return new Graph(ending(nodes, from));
  }

  private static Importance scores(ChannelGroups units, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String l : units.layers()) {
      float[] s = new float[units.graph().shape(l).size(1)];
      for (int i = 0; i < s.length; i++) {
        s[i] = (float) random.nextDouble(0.1, 2);
      }
      out.put(l, s);
    }
    return new Importance("made up", out);
  }

  /** The least loss of all numbers of filters to keep, each column losing its lowest. */
  private static double bruteForce(
      ChannelGroups units, double[] scores, StepLatency clock, double budget) {
    List<int[]> columns =
        units.interchangeable().stream()
            .map(
                c ->
                    c.stream()
                        .sorted((a, b) -> Double.compare(scores[a], scores[b]))
                        .mapToInt(u -> u)
                        .toArray())
            .toList();
    LatencyModel model = new LatencyModel(units.graph(), clock);
    int[] most = columns.stream().mapToInt(c -> c.length - 1).toArray();
    int[] gone = new int[most.length];
    double best = Double.POSITIVE_INFINITY;
    while (true) {
      int[] left = units.widths();
      double loss = 0;
      for (int c = 0; c < gone.length; c++) {
        for (int i = 0; i < gone[c]; i++) {
          assertTrue(units.prune(columns.get(c)[i], left));
          loss += scores[columns.get(c)[i]];
        }
      }
      if (loss < best && model.milliseconds(left) <= budget) {
        best = loss;
      }
      int at = 0;
      while (at < gone.length && gone[at] == most[at]) {
        gone[at++] = 0;
      }
      if (at == gone.length) {
        return best;
      }
      gone[at]++;
    }
  }

  private static double loss(Importance scores, Removal removed) {
    double sum = 0;
    for (Map.Entry<String, int[]> e : removed.filters().entrySet()) {
      for (int f : e.getValue()) {
        sum += scores.byFilter().get(e.getKey())[f];
      }
    }
    return sum;
  }

  private static LatencySelection selection(
      ChannelGroups units, Importance scores, Recipe recipe, StepLatency clock) {
    return LatencySelection.of(
        units, scores, recipe.choice(), units.graph(), clock, LatencySelection.Loss.SUM);
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "4, 0", "8, 0", "1, 0.5", "4, 0.3"})
  void separateBlocksAreChosenExactly(int stair, double noise) {
    Graph graph = blocks(9, 12, 16);
    ChannelGroups units = ChannelGroups.of(graph, Scope.PAPER);
    assertEquals(List.of("in0", "in1", "in2"), units.layers());
    StepLatency clock = new FakeLatency(stair, noise);
    for (int seed = 0; seed < 5; seed++) {
      Importance scores = scores(units, seed);
      LatencySelection s = selection(units, scores, Recipe.DEFAULT, clock);
      for (double part : new double[] {0.4, 0.6, 0.8}) {
        double budget = part * LatencyModel.of(graph, clock);
        double best =
            bruteForce(units, units.importance(scores, GroupReduction.MEAN), clock, budget);
        Optional<Removal> removed = s.within(budget);
        assertEquals(best < Double.POSITIVE_INFINITY, removed.isPresent());
        if (removed.isPresent()) {
          assertTrue(LatencyModel.of(Surgery.shrink(graph, removed.get()), clock) <= budget);
          assertEquals(best, loss(scores, removed.get()), 1e-4);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "4, 0", "4, 0.3"})
  void layersInAChainAreChosenAlmostAsWellAsThereIs(int stair, double noise) {
    Graph graph = chain(10, 12, 9, 8);
    ChannelGroups units = ChannelGroups.of(graph, Scope.ALL);
    StepLatency clock = new FakeLatency(stair, noise);
    double sum = 0;
    double sumBest = 0;
    for (int seed = 0; seed < 4; seed++) {
      Importance scores = scores(units, seed);
      LatencySelection s = selection(units, scores, Recipe.DEFAULT, clock);
      for (double part : new double[] {0.3, 0.5, 0.7}) {
        double budget = part * LatencyModel.of(graph, clock);
        double best =
            bruteForce(units, units.importance(scores, GroupReduction.MEAN), clock, budget);
        Removal removed = s.within(budget).orElseThrow();
        assertTrue(LatencyModel.of(Surgery.shrink(graph, removed), clock) <= budget);
        double loss = loss(scores, removed);
        assertTrue(loss >= best - 1e-4);
        assertTrue(loss <= 1.5 * best + 2, loss + " of at best " + best);
        sum += loss;
        sumBest += best;
      }
    }
    assertTrue(sum <= 1.15 * sumBest, sum + " of at best " + sumBest);
  }

  /** The threshold of plain scores cannot be better than the exact choice. */
  @Test
  void itLosesLessThanTheThresholdAtTheSameTime() {
    Graph graph = Architectures.graph("resnet20", 10, 3, 32);
    ChannelGroups units = ChannelGroups.of(graph, Scope.PAPER);
    Importance scores = scores(units, 3);
    StepLatency clock = new FakeLatency(8, 0);
    double budget = 0.6 * LatencyModel.of(graph, clock);
    Removal plain =
        new Selection(units, units.importance(scores, GroupReduction.MEAN), Constraints.NONE, graph)
            .until(g -> LatencyModel.of(g, clock) <= budget)
            .orElseThrow();
    Removal knapsack = selection(units, scores, Recipe.DEFAULT, clock).within(budget).orElseThrow();
    assertTrue(loss(scores, knapsack) < loss(scores, plain));
    for (Map.Entry<String, int[]> e : knapsack.filters().entrySet()) {
      int left = graph.shape(e.getKey()).size(1) - e.getValue().length;
      assertEquals(0, left % 8, e.getKey() + " ends at a stair");
    }
  }

  @ParameterizedTest
  @CsvSource({"resnet20, PAPER", "resnet20, ALL", "vgg11_bn_cifar, PAPER", "mobilenet_v2, ALL"})
  void noisyTimesEndInAChoiceWithinTheBudget(String name, Scope scope) {
    Graph graph = Architectures.graph(name, 10, 3, 32);
    ChannelGroups units = ChannelGroups.of(graph, scope);
    Importance scores = scores(units, 4);
    StepLatency clock = new FakeLatency(8, 0.5);
    double budget = 0.7 * LatencyModel.of(graph, clock);
    Removal removed = selection(units, scores, Recipe.DEFAULT, clock).within(budget).orElseThrow();
    Graph smaller = Surgery.shrink(graph, removed);
    assertTrue(LatencyModel.of(smaller, clock) <= budget * (1 + 1e-9));
    assertEquals(Optional.empty(), selection(units, scores, Recipe.DEFAULT, clock).within(1e-3));
  }

  @ParameterizedTest
  @CsvSource({"resnet20, PAPER", "resnet20, ALL"})
  void constraintsHold(String name, Scope scope) {
    Graph graph = Architectures.graph(name, 10, 3, 32);
    Recipe c =
        Recipe.DEFAULT
            .with("choice.scope", scope)
            .with("choice.round-to", 4)
            .with("choice.keep", List.of("layer2.1.*"))
            .with("choice.min-pruning-ratio", Map.of("layer3.2.conv1", 0.5))
            .with("choice.max-pruning-ratio", Map.of("*", 0.75));
    ChannelGroups units = c.groups(graph);
    StepLatency clock = new FakeLatency(1, 0.1);
    Removal removed =
        selection(units, scores(units, 5), c, clock)
            .within(0.85 * LatencyModel.of(graph, clock))
            .orElseThrow();
    assertTrue(removed.of("layer3.2.conv1").length >= 32, "the least rate");
    removed
        .filters()
        .forEach(
            (layer, filters) -> {
              int width = graph.shape(layer).size(1);
              assertTrue(!layer.startsWith("layer2.1."), layer + " is kept");
              assertTrue(filters.length <= 0.75 * width, layer);
              assertEquals(0, (width - filters.length) % 4, layer);
            });
  }

  /** The time of other widths is that of the smaller network: each step is the same. */
  @ParameterizedTest
  @CsvSource({"resnet20, ALL", "mobilenet_v2, ALL", "densenet121, ALL", "vgg11_bn_cifar, PAPER"})
  void stepsOfOtherWidthsAreThoseOfTheSmallerNetwork(String name, Scope scope) {
    Graph graph = Architectures.graph(name, 10, 3, 32);
    ChannelGroups units = ChannelGroups.of(graph, scope);
    Selection.Mask taken =
        new Selection(
                units,
                units.importance(scores(units, 6), GroupReduction.MEAN),
                Constraints.NONE,
                graph)
            .requiredMask();
    SplittableRandom random = new SplittableRandom(7);
    for (int u = 0; u < units.size(); u++) {
      if (random.nextInt(3) == 0) {
        taken.prune(u);
      }
    }
    Graph smaller = Surgery.shrink(graph, taken.removal());
    int[] widths =
        smaller.nodes().stream().mapToInt(n -> smaller.shape(n.name()).size(1)).toArray();
    assertEquals(
        Arrays.stream(widths).boxed().toList(), Arrays.stream(taken.remaining()).boxed().toList());
    InferencePlan of = InferencePlan.of(graph);
    InferencePlan own = InferencePlan.of(smaller);
    assertEquals(own.size(), of.size());
    IntStream.range(0, of.size())
        .forEach(s -> assertEquals(own.at(s, widths), of.at(s, widths), "step " + s));
  }
}
