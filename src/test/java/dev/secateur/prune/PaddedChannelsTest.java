package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.ForwardHook;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Step;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Networks with odd numbers of filters, compiled for a GPU to multiples of what its tensor cores
 * take, compute what they compute when compiled as they are.
 */
class PaddedChannelsTest {
  private static final String PROPERTY = "secateur.cuda.pad-channels";

  /** Plans of cuDNN's graph API take padded channels only, and round less. */
  private static final String GRAPHS = "secateur.cuda.cudnn-graphs";

  private static final int BATCH = 3;
  private static final int NETWORKS = 25;

  private static Device open(Precision precision, boolean padded) {
    System.setProperty(PROPERTY, Boolean.toString(padded));
    System.setProperty(GRAPHS, "never");
    try {
      return TestCuda.open(precision);
    } finally {
      System.clearProperty(PROPERTY);
      System.clearProperty(GRAPHS);
    }
  }

  /** What a network gives: logits, features, and what two steps of training make of it. */
  private record Results(float[] logits, float[] features, Map<String, HostTensor> trained) {}

  private static Results run(Device device, Model model, boolean train) {
    int pixels = (int) model.graph().shape(model.graph().input().name()).elements() * BATCH;
    List<String> hooked =
        model.graph().nodes().stream()
            .filter(n -> n.op().hasFilters() && n != model.graph().output())
            .map(Node::name)
            .toList();
    try (Network net = new Network(device, model)) {
      float[] logits;
      try (InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.empty())) {
        fill(device, p.pixels(), pixels);
        p.run();
        logits = device.downloadFloats(p.output());
      }
      float[] features;
      ForwardHook hook = new ForwardHook(hooked, PoolSpec.Kind.AVERAGE);
      try (InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.of(hook))) {
        fill(device, p.pixels(), pixels);
        p.run();
        features = device.downloadFloats(p.features());
      }
      Map<String, HostTensor> trained = new LinkedHashMap<>();
      if (train) {
        Learning sgd = Learning.sgd(0.9f, true, 1e-4f, true, 0.1f);
        try (TrainingProgram p = TrainingProgram.compile(net, BATCH, sgd, 0)) {
          fill(device, p.pixels(), pixels);
          device.upload(new int[BATCH * 3], p.crops());
          device.upload(new int[] {0, 1, 0}, p.labels());
          p.setLearningRate(0.01f);
          p.step();
          p.step();
          trained.putAll(net.toModel().parameters());
        }
      }
      return new Results(logits, features, trained);
    }
  }

  private static void fill(Device device, Tensor pixels, int count) {
    SplittableRandom random = new SplittableRandom(count);
    try (HostBuffer host = device.hostBuffer(count)) {
      for (int i = 0; i < count; i++) {
        host.bytes().put(i, (byte) random.nextInt(256));
      }
      device.upload(host, pixels);
      host.awaitRead();
    }
  }

  private static Model pruned(Model model, SplittableRandom random) {
    try {
      Removal removed =
          Zeroed.random(model.graph(), Scope.ALL, random).lowest(random.nextDouble(0.1, 0.6));
      return removed.isEmpty() ? model : Surgery.remove(model, removed);
    } catch (SecateurException tooMuch) {
      return model;
    }
  }

  private static void compare(Device wide, Device plain, Model model, boolean train, String what) {
    Results expected = run(plain, model, train);
    Results got = run(wide, model, train);
    assertArrayEquals(expected.logits(), got.logits(), what + ": logits");
    assertArrayEquals(expected.features(), got.features(), what + ": features");
    expected
        .trained()
        .forEach(
            (name, t) ->
                assertArrayEquals(
                    t.data(), got.trained().get(name).data(), what + ": " + name + ", trained"));
  }

  @ParameterizedTest
  @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
  void networksOfEveryOpComputeTheSame(Precision precision) {
    int padded = 0;
    try (Device wide = open(precision, true);
        Device plain = open(precision, false)) {
      assertEquals(precision == Precision.TF32 ? 4 : 8, wide.channelMultiple());
      assertEquals(1, plain.channelMultiple());
      for (int seed = 0; seed < NETWORKS; seed++) {
        Model model = pruned(RandomGraph.draw(seed), new SplittableRandom(seed));
        try (Network net = new Network(wide, model);
            InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.empty())) {
          padded += even(p, wide.channelMultiple()) ? 1 : 0;
        }
        compare(wide, plain, model, true, "network " + seed);
      }
    }
    assertTrue(padded > NETWORKS / 2, padded + " were padded");
  }

  /** Whether every activation is of a multiple of channels. */
  private static boolean even(InferenceProgram p, int multiple) {
    List<Long> widths = new ArrayList<>();
    for (Step s : p.steps()) {
      if (s.output().shape().rank() == 4) {
        widths.add(s.output().shape().dim(1));
      }
    }
    return widths.stream().allMatch(c -> c % multiple == 0);
  }

  /** A layer norm over 11 channels is told by name, and nothing is padded. */
  @Test
  void whatZerosWouldChangeIsSaid() {
    List<Node> nodes =
        List.of(
            new Node("input", new Input(3, 4, 4), List.of()),
            new Node(
                "c", new Convolution(11, 3, 3, ConvolutionSpec.of(1, 1), false), List.of("input")),
            new Node("norm", new LayerNorm(1e-5f), List.of("c")),
            new Node("pool", new GlobalPool(PoolSpec.Kind.AVERAGE), List.of("norm")),
            new Node("flat", new Flatten(), List.of("pool")),
            new Node("fc", new Linear(3, true), List.of("flat")));
    Model model = RandomGraph.model(new Graph(nodes), new SplittableRandom(2));
    try (Device device = open(Precision.FP16, true);
        Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.empty())) {
      assertEquals(3, p.steps().get(0).output().shape().dim(1));
      assertEquals(
          Map.of("channels are not padded to multiples of 8: norm does not take it", 1),
          device.fallbacks());
    }
  }

  /** Not one convolution of a pruned network sees a number of channels that is no multiple. */
  @ParameterizedTest
  @CsvSource({
    "resnet50, FP16",
    "resnet20, FP16",
    "resnet20, BF16",
    "resnet20, TF32",
    "vgg11_bn_cifar, FP16",
    "mobilenet_v2, FP16",
    "densenet121, FP16"
  })
  void noConvolutionSeesAnythingElse(String name, Precision precision) {
    assumeTrue(TestCuda.emulated(), "the emulated cuDNN counts them");
    Model model =
        pruned(Zeroed.shifted(Architectures.create(name, 10, 3, 32, 3)), new SplittableRandom(4));
    boolean train = name.startsWith("resnet20") || name.startsWith("mobile");
    try (Device wide = open(precision, true);
        Device plain = open(precision, false)) {
      EmulatedCuda.reset();
      Results got = run(wide, model, train);
      assertEquals(0, EmulatedCuda.count("uneven channels"), name);
      Results expected = run(plain, model, train);
      assertTrue(EmulatedCuda.count("uneven channels") > 0, name + " as it is");
      assertArrayEquals(expected.logits(), got.logits(), "logits");
      assertArrayEquals(expected.features(), got.features(), "features");
      expected
          .trained()
          .forEach((n, t) -> assertArrayEquals(t.data(), got.trained().get(n).data(), n));
    }
  }
}
