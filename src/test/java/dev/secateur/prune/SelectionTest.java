package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Choosing units under constraints. */
class SelectionTest {
  private static final Graph RESNET20 = Architectures.graph("resnet20", 10, 3, 32);

  private static Selection random(Graph graph, Scope scope, Constraints c) {
    return Zeroed.random(graph, scope, c, new SplittableRandom(6));
  }

  private static Map<String, Double> ordered(String one, double a, String two, double b) {
    Map<String, Double> out = new LinkedHashMap<>(Map.of(one, a));
    out.put(two, b);
    return out;
  }

  private static Constraints ratios(Map<String, Double> min, Map<String, Double> max) {
    return new Constraints(1, List.of(), min, max);
  }

  /** The authors' rule (PruningNeuralNetworks, VIPPruning.py), for small layers a, b and c. */
  @Test
  void theShareNearestToTheRatioGoesAndALayerThatWouldGoWholeKeepsAll() {
    ConvolutionSpec spec = ConvolutionSpec.of(1, 1);
    Graph graph =
        new Graph(
            List.of(
                new Node("input", new Input(1, 8, 8), List.of()),
                new Node("a", new Convolution(2, 3, 3, spec, true), List.of("input")),
                new Node("b", new Convolution(4, 3, 3, spec, true), List.of("a")),
                new Node("c", new Convolution(4, 3, 3, spec, true), List.of("b")),
                new Node("d", new Convolution(2, 3, 3, spec, true), List.of("c"))));
    ChannelGroups groups = ChannelGroups.of(graph, Scope.ALL);
    Map<String, float[]> scores = new LinkedHashMap<>();
    scores.put("a", new float[] {1, 2});
    scores.put("b", new float[] {3, 9, 4, 8});
    scores.put("c", new float[] {9, 4, 5, 9});
    double[] order = groups.importance(new Importance("", scores), GroupReduction.MEAN);
    Selection s = new Selection(groups, order, Constraints.NONE, graph);
    // shares: 1: 0.1, 2: 0.2, 3: 0.3, 4: 0.5, 5: 0.6, 8: 0.7, 9: 1
    assertEquals(Map.of("a", List.of(0)), lists(s.nearest(0.14)));
    assertEquals(Map.of(), lists(s.nearest(0.24)));
    assertEquals(Map.of("b", List.of(0)), lists(s.nearest(0.39)));
    assertEquals(Map.of("b", List.of(0, 2), "c", List.of(1)), lists(s.nearest(0.41)));
    assertEquals(Map.of("b", List.of(0, 2, 3), "c", List.of(1, 2)), lists(s.nearest(0.7)));
  }

  private static Map<String, List<Integer>> lists(Removal removal) {
    Map<String, List<Integer>> out = new TreeMap<>();
    removal.filters().forEach((l, f) -> out.put(l, Arrays.stream(f).boxed().toList()));
    return out;
  }

  @ParameterizedTest
  @CsvSource({"resnet20, PAPER", "resnet20, ALL", "vgg16_bn_cifar, PAPER"})
  void withinLayersEachLosesTheSamePart(String name, Scope scope) {
    Graph graph = Architectures.graph(name, 10, 3, 32);
    ChannelGroups groups = ChannelGroups.of(graph, scope);
    double[] scores = new SplittableRandom(3).doubles(groups.size()).toArray();
    for (int u = 0; u < scores.length; u++) { // later layers' are higher
      scores[u] += groups.layersOf(u).get(0);
    }
    Selection global = new Selection(groups, scores, Constraints.NONE, graph);
    Selection layer =
        new Selection(groups, Ranking.LAYER.order(groups, scores), Constraints.NONE, graph);
    assertTrue(shares(graph, groups, global.lowest(0.25)).getMax() > 0.7);
    var shares = shares(graph, groups, layer.lowest(0.25));
    assertTrue(shares.getMin() > 0.15 && shares.getMax() <= 0.3, shares.toString());
  }

  private static DoubleSummaryStatistics shares(
      Graph graph, ChannelGroups groups, Removal removal) {
    return groups.layers().stream()
        .mapToDouble(l -> (double) removal.of(l).length / graph.shape(l).size(1))
        .summaryStatistics();
  }

  /**
   * In a ResNet the inner channels of all blocks are of one kind, each stage's stream of its own.
   */
  @Test
  void isomorphicGroupsOfAResNet() {
    ChannelGroups inner = ChannelGroups.of(RESNET20, Scope.PAPER);
    assertTrue(
        IntStream.range(0, inner.size()).mapToObj(inner::surroundings).distinct().count() <= 2);
    ChannelGroups all = ChannelGroups.of(RESNET20, Scope.ALL);
    double[] scores = new SplittableRandom(3).doubles(all.size()).toArray();
    for (int u = 0; u < scores.length; u++) { // streams, several layers each, score higher
      scores[u] += all.layersOf(u).size();
    }
    double[] order = Ranking.ISOMORPHIC.order(all, scores);
    Removal removed = new Selection(all, order, Constraints.NONE, RESNET20).lowest(0.3);
    assertTrue(removed.of("layer1.0.conv1").length > 0, removed.toString());
    assertTrue(removed.of("layer1.0.conv2").length > 0, removed.toString());
  }

  @ParameterizedTest
  @CsvSource({"PAPER, 0.1", "PAPER, 0.5", "ALL, 0.1", "ALL, 0.33", "ALL, 0.6"})
  void theCountIsExactWhereAnyUnitIsOneFilter(Scope scope, double rate) {
    int filters = ChannelGroups.of(RESNET20, scope).filters();
    Removal removed = random(RESNET20, scope, Constraints.NONE).lowest(rate);
    assertEquals((int) (rate * filters), removed.size());
  }

  /** The paper's rule, written for these two networks by their layers' names alone. */
  @ParameterizedTest
  @CsvSource({
    "resnet20, 0.1",
    "resnet20, 0.5",
    "resnet20, 0.95",
    "resnet56, 0.3",
    "vgg16_bn_cifar, 0.1",
    "vgg16_bn_cifar, 0.6"
  })
  void thePapersScopeIsItsRuleFilterByFilter(String name, double rate) {
    Graph graph = Architectures.graph(name, 10, 3, 32);
    List<String> layers = new ArrayList<>();
    Map<String, float[]> scores = new LinkedHashMap<>();
    SplittableRandom random = new SplittableRandom(9);
    for (Node n : graph.nodes()) {
      if (n.op() instanceof Convolution c) {
        float[] s = new float[c.outChannels()];
        for (int i = 0; i < s.length; i++) { // ties, and layers that are all lower than others
          s[i] = random.nextInt(50) + 10 * (scores.size() % 3);
        }
        scores.put(n.name(), s);
        if (name.startsWith("vgg") || n.name().matches("layer\\d\\.\\d+\\.conv1")) {
          layers.add(n.name());
        }
      }
    }
    if (name.startsWith("vgg")) {
      layers.remove(layers.size() - 1);
    }
    record Filter(int layer, int index, float score) {}
    List<Filter> all = new ArrayList<>();
    for (int l = 0; l < layers.size(); l++) {
      float[] s = scores.get(layers.get(l));
      for (int f = 0; f < s.length; f++) {
        all.add(new Filter(l, f, s[f]));
      }
    }
    int wanted = (int) (rate * all.size());
    all.sort(
        Comparator.comparingDouble(Filter::score)
            .thenComparingInt(Filter::layer)
            .thenComparingInt(Filter::index));
    Map<String, TreeSet<Integer>> gone = new TreeMap<>();
    for (Filter f : all) {
      TreeSet<Integer> of = gone.computeIfAbsent(layers.get(f.layer()), l -> new TreeSet<>());
      int left = scores.get(layers.get(f.layer())).length - of.size();
      if (wanted > 0 && left > 1) {
        of.add(f.index());
        wanted--;
      }
    }
    gone.values().removeIf(TreeSet::isEmpty);
    ChannelGroups units = ChannelGroups.of(graph, Scope.PAPER);
    Selection s =
        new Selection(
            units,
            units.importance(new Importance("", scores), GroupReduction.MEAN),
            Constraints.NONE,
            graph);
    Map<String, TreeSet<Integer>> got = new TreeMap<>();
    s.lowest(rate)
        .filters()
        .forEach(
            (layer, filters) ->
                got.put(layer, new TreeSet<>(Arrays.stream(filters).boxed().toList())));
    assertEquals(gone, got);
  }

  @ParameterizedTest
  @CsvSource({"PAPER, 0.3, 4", "ALL, 0.3, 4", "ALL, 0.2, 8", "PAPER, 0.1, 8"})
  void layersThatLoseFiltersKeepAMultiple(Scope scope, double rate, int multiple) {
    Constraints c = new Constraints(multiple, List.of(), Map.of(), Map.of());
    ChannelGroups units = ChannelGroups.of(RESNET20, scope);
    Removal removed = random(RESNET20, scope, c).lowest(rate);
    assertFalse(removed.isEmpty());
    removed
        .filters()
        .forEach(
            (name, f) ->
                assertEquals(0, (RESNET20.shape(name).dim(1) - f.length) % multiple, name));
    int wanted = (int) (rate * units.filters());
    assertTrue(removed.size() <= wanted);
    // a step of the heaviest groups, which share layers, would be too much
    assertTrue(removed.size() > wanted - 16 * multiple, removed.size() + " of " + wanted);
  }

  @Test
  void eachGroupOfAGroupedConvolutionKeepsAMultiple() {
    ConvolutionSpec plain = ConvolutionSpec.of(1, 0);
    ConvolutionSpec two = new ConvolutionSpec(1, 1, 0, 0, 0, 0, 1, 1, 2);
    Graph g =
        new Graph(
            List.of(
                new Node("input", new Input(1, 4, 4), List.of()),
                new Node("a", new Convolution(24, 1, 1, plain, false), List.of("input")),
                new Node("b", new Convolution(24, 1, 1, two, false), List.of("a")),
                new Node("c", new Convolution(2, 1, 1, plain, false), List.of("b"))));
    Removal removed =
        random(g, Scope.ALL, new Constraints(4, List.of(), Map.of(), Map.of())).lowest(0.4);
    assertEquals(16, 24 - removed.of("a").length);
    assertEquals(16, 24 - removed.of("b").length, "8 of each group");
  }

  @Test
  void keptLayersAndWhatHangsTogetherWithThemStay() {
    Constraints c = new Constraints(1, List.of("layer1.*", "layer3.?.conv1"), Map.of(), Map.of());
    Removal all = random(RESNET20, Scope.ALL, c).all();
    assertFalse(all.isEmpty());
    for (String name : all.filters().keySet()) {
      assertFalse(name.startsWith("layer1.") || name.matches("layer3\\..\\.conv1"), name);
    }
    assertFalse(all.filters().containsKey("conv1"), "is added to layer 1's");
    assertEquals(16, all.of("layer2.0.conv2").length, "of 32, 16 are added to layer 1's");
    List<String> layers = ChannelGroups.of(RESNET20, Scope.ALL).layers();
    String message =
        assertThrows(
                SecateurException.class,
                () -> new Constraints(1, List.of("layer9.*"), Map.of(), Map.of()).check(layers))
            .getMessage();
    assertTrue(
        message.startsWith("choice.keep layer9.*: no layer with filters is named so"), message);
  }

  @Test
  void noLayerLosesMoreThanItsMaximumOfTheOriginal() {
    Constraints c = ratios(Map.of(), ordered("*", 0.7, "layer2.*", 0.5));
    Removal all = random(RESNET20, Scope.PAPER, c).all();
    assertEquals(11, all.of("layer1.0.conv1").length);
    assertEquals(16, all.of("layer2.1.conv1").length);
    // half of layer 2 gone already: nothing more
    Graph smaller = Surgery.shrink(RESNET20, all);
    ChannelGroups units = ChannelGroups.of(smaller, Scope.PAPER);
    assertEquals(Removal.NONE, Selection.unscored(units, c, RESNET20).all());
  }

  @Test
  void layersBelowTheirMinimumGoFirst() {
    Constraints c = ratios(Map.of("layer3.1.conv1", 0.5), Map.of());
    Selection s = random(RESNET20, Scope.PAPER, c);
    assertEquals(32, s.required());
    Removal removed = s.lowest(0.1);
    assertEquals(33, removed.size());
    assertTrue(removed.of("layer3.1.conv1").length >= 32);
    Removal more = s.lowest(0.5);
    assertTrue(more.of("layer3.1.conv1").length >= 32);
    assertEquals((int) (0.5 * ChannelGroups.of(RESNET20, Scope.PAPER).filters()), more.size());
  }

  @ParameterizedTest
  @CsvSource({"MACS, 0.5, 1", "PARAMS, 0.4, 1", "SIZE, 500000, 1", "MACS, 0.5, 8"})
  void aTargetIsReachedByAsFewUnitsAsItTakes(Target.Kind kind, double value, int multiple) {
    Target target = new Target(kind, value);
    Constraints c = new Constraints(multiple, List.of(), Map.of(), Map.of());
    Selection s = random(RESNET20, Scope.ALL, c);
    Removal removed = s.until(g -> target.reached(RESNET20, g)).orElseThrow();
    Graph smaller = Surgery.shrink(RESNET20, removed);
    assertTrue(target.reached(RESNET20, smaller));
    double share = kind.of(smaller) / target.limit(RESNET20);
    assertTrue(share > (multiple == 1 ? 0.95 : 0.7), "not much more than needed: " + share);
    assertTrue(s.until(g -> new Target(kind, 1e-9).reached(RESNET20, g)).isEmpty());
  }

  @Test
  void bytesAreThoseOfAllParameters() {
    long cost = Target.Kind.PARAMS.of(RESNET20);
    int running = 2 * (16 + 6 * (16 + 32 + 64));
    assertEquals(4 * (cost + running + 6), Target.Kind.SIZE.of(RESNET20));
  }
}
