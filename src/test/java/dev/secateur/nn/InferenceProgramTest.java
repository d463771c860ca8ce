package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole networks on the device against an unfused double-precision interpreter in plain Java. */
class InferenceProgramTest {

  @ParameterizedTest
  @CsvSource({
    "resnet8, 3, 32, 2",
    "resnet20, 1, 28, 1",
    "resnet14b, 3, 32, 3",
    "vgg11_bn_cifar, 3, 32, 1",
    "resnet18, 3, 64, 1",
    "resnet50, 3, 32, 1"
  })
  void logitsEqualTheReference(String name, int channels, int size, int batch) {
    Model model = randomised(Architectures.create(name, 10, channels, size, 7), 11);
    checkEqualsReference(new CpuDevice(), model, batch);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void everyOpEqualsTheReference(int batch) {
    checkEqualsReference(new CpuDevice(), vision(), batch);
  }

  @Test
  void everyOpEqualsTheReferenceOnCuda() {
    checkEqualsReference(TestCuda.open(), vision(), 2);
  }

  private static Model vision() {
    return randomised(VisionGraph.model(5), 6);
  }

  private static void checkEqualsReference(Device opened, Model model, int batch) {
    byte[] pixels = pixels(batch * (int) model.graph().shape("input").elements());
    double[] expected =
        new ReferenceNetwork(model, batch, pixels).run().get(model.graph().output().name());
    try (Device device = opened;
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, batch, Optional.empty())) {
      upload(device, program, pixels);
      program.run();
      float[] got = device.downloadFloats(program.output());
      double scale = 1;
      for (double e : expected) {
        scale = Math.max(scale, Math.abs(e));
      }
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], got[i], 1e-4 * scale, "logit " + i);
      }
      program.run();
      assertArrayEquals(got, device.downloadFloats(program.output()), "a second run is equal");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"resnet20", "resnet14b", "resnet18", "vgg11", "densenet121", "mobilenet_v2", ""})
  void everyNodeIsInOneStepAndEveryMacToo(String name) {
    Model model = name.isEmpty() ? vision() : Architectures.create(name, 10, 3, 32, 1);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, 2, Optional.empty())) {
      List<Node> inSteps = program.steps().stream().flatMap(s -> s.nodes().stream()).toList();
      assertEquals(model.graph().nodes().size(), inSteps.size());
      assertEquals(Set.copyOf(model.graph().nodes()), Set.copyOf(inSteps));
      long macs = inSteps.stream().mapToLong(n -> Cost.macs(model.graph(), n)).sum();
      assertEquals(Cost.of(model.graph()).macs(), macs);
      long parameters = 0;
      for (Step s : program.steps()) {
        Node last = s.nodes().get(s.nodes().size() - 1);
        long elements = 2 * model.graph().shape(last.name()).elements();
        assertEquals(elements, s.output().elements(), last.name());
        parameters += s.bytes();
      }
      assertTrue(parameters > 4 * Cost.of(model.graph()).parameters(), "each is read");
    }
  }

  /**
   * Bytes by hand, two images: U8 pixels 2 x 6 x 6, weights, then what each step reads and writes.
   *
   * @param two channels that there are where the network has 2
   * @param four where it has 4
   */
  @ParameterizedTest
  @CsvSource({"FP32, 4, 2, 4", "FP16, 2, 8, 8"})
  void stepsSayWhatTheyFuseAndHowMuchTheyMove(Precision precision, int size, int two, int four) {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(2, 6, 6), List.of()));
    ConvolutionSpec same = ConvolutionSpec.of(1, 1);
    n.add(new Node("conv1", new Convolution(4, 3, 3, same, false), List.of("input")));
    n.add(new Node("bn1", new BatchNorm(1e-5f, 0.1f), List.of("conv1")));
    n.add(new Node("relu1", new Activate(Activation.RELU), List.of("bn1")));
    n.add(new Node("conv2", new Convolution(4, 3, 3, same, true), List.of("relu1")));
    n.add(new Node("add", new Add(), List.of("conv2", "relu1")));
    n.add(new Node("relu2", new Activate(Activation.RELU), List.of("add")));
    n.add(new Node("bn2", new BatchNorm(1e-5f, 0.1f), List.of("relu2")));
    n.add(new Node("pool", new GlobalPool(PoolSpec.Kind.AVERAGE), List.of("bn2")));
    n.add(new Node("flat", new Flatten(), List.of("pool")));
    n.add(new Node("same", new Identity(), List.of("flat")));
    n.add(new Node("fc", new Linear(3, true), List.of("same")));
    Graph graph = new Graph(n);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach((k, s) -> parameters.put(k, new HostTensor(s, new float[(int) s.elements()])));
    long map = 2L * four * 6 * 6 * size;
    long[] expected = {
      2 * 2 * 36 + 2 * 2 * 4 + 2L * two * 36 * size, // pixels, scale and shift in F32, image
      2L * two * 36 * size + four * two * 9 * size + four * size + map, // image, weights, bias
      map + four * four * 9 * size + four * size + map, // input and residual are one memory
      map + 2 * four * 4 + map, // scale and shift in F32
      map + 2 * four * size,
      2 * four * size + 3 * four * size + 3 * 4 + 2 * 3 * 4 // logits and their bias in F32
    };
    Device opened = precision == Precision.FP32 ? new CpuDevice() : TestCuda.open(precision);
    try (Device device = opened;
        Network net = new Network(device, new Model(graph, parameters, Map.of()));
        InferenceProgram program = InferenceProgram.compile(net, 2, Optional.empty())) {
      List<Step> steps = program.steps();
      assertEquals(
          List.of("input", "conv1 bn1 relu1", "conv2 add relu2", "bn2", "pool flat same", "fc"),
          steps.stream()
              .map(s -> s.nodes().stream().map(Node::name).collect(Collectors.joining(" ")))
              .toList());
      assertArrayEquals(expected, steps.stream().mapToLong(Step::bytes).toArray());
      assertEquals(Shape.of(2, four, 6, 6), steps.get(2).output().shape());
    }
  }

  @ParameterizedTest
  @CsvSource({"MAX, CONVOLUTION", "AVERAGE, CONVOLUTION", "MAX, ACTIVATION", "AVERAGE, ACTIVATION"})
  void tapsPoolConvolutionsRawOrBehindNormAndActivation(PoolSpec.Kind kind, Pooling.Place place) {
    Model model = randomised(Architectures.create("resnet8", 10, 3, 32, 3), 5);
    int batch = 3;
    byte[] pixels = pixels(batch * 3 * 32 * 32);
    Map<String, double[]> values = new ReferenceNetwork(model, batch, pixels).run();
    List<String> convolutions = List.of("layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1");
    ForwardHook hooked = new Pooling(kind, place).hook(model.graph(), convolutions);
    List<String> hooks = hooked.nodes();
    for (int i = 0; i < 3; i++) {
      String name = convolutions.get(i);
      boolean raw = place == Pooling.Place.CONVOLUTION;
      assertEquals(raw ? name : name.replace("conv1", "relu1"), hooks.get(i));
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, batch, Optional.of(hooked))) {
      upload(device, program, pixels);
      program.run();
      float[] f = device.downloadFloats(program.features());
      int p = 16 + 32 + 64;
      assertEquals(batch * p, f.length);
      int column = 0;
      for (String hook : hooks) {
        Shape s = model.graph().shape(hook);
        int plane = s.size(2) * s.size(3);
        for (int c = 0; c < s.size(1); c++, column++) {
          for (int n = 0; n < batch; n++) {
            double max = Double.NEGATIVE_INFINITY;
            double sum = 0;
            for (int i = 0; i < plane; i++) {
              double v = values.get(hook)[(n * s.size(1) + c) * plane + i];
              max = Math.max(max, v);
              sum += v;
            }
            double want = kind == PoolSpec.Kind.MAX ? max : sum / plane;
            assertEquals(want, f[n * p + column], 1e-4 * (1 + Math.abs(want)), hook + " " + c);
          }
        }
      }
    }
  }

  @Test
  void whereTheChainEndsBeforeAnActivationItsEndIsTapped() {
    Graph g = Architectures.create("resnet8", 10, 3, 32, 3).graph();
    Pooling pooling = new Pooling(PoolSpec.Kind.MAX, Pooling.Place.ACTIVATION);
    // an addition follows the norm of the second convolution
    assertEquals(List.of("layer1.0.bn2"), pooling.hook(g, List.of("layer1.0.conv2")).nodes());
  }

  @Test
  void activationsShareMemory() {
    Model model = Architectures.create("resnet56", 10, 3, 32, 1);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, 16, Optional.empty())) {
      long oneActivation = 16L * 16 * 32 * 32 * 4;
      long weights = 4L * 853_018;
      assertTrue(
          program.bytes() < weights + 6 * oneActivation,
          "55 convolutions in the memory of a few activations, but " + program.bytes());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "resnet20, 10, 32, 269722",
    "resnet56, 10, 32, 853018",
    "resnet18, 1000, 224, 11689512",
    "resnet34, 1000, 224, 21797672",
    "resnet50, 1000, 224, 25557032",
    "resnet101, 1000, 224, 44549160",
    "resnet152, 1000, 224, 60192808",
    "vgg11, 1000, 224, 132863336",
    "vgg16, 1000, 224, 138357544",
    "vgg16_bn, 1000, 224, 138365992"
  })
  void parameterCountsAreThePublishedOnes(String name, int classes, int size, long expected) {
    Graph graph = Architectures.graph(name, classes, 3, size);
    long n =
        ParameterShapes.of(graph).entrySet().stream()
            .filter(e -> ParameterShapes.trainable(e.getKey()))
            .mapToLong(e -> e.getValue().elements())
            .sum();
    assertEquals(expected, n);
  }

  /** Non-trivial batch norms, biases and normalisation, so that folding them wrongly shows. */
  private static Model randomised(Model m, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, HostTensor> out = new LinkedHashMap<>();
    m.parameters()
        .forEach(
            (name, t) -> {
              float[] d = t.data().clone();
              boolean weight = name.endsWith(".weight") && t.shape().rank() > 1;
              for (int i = 0; i < d.length && !weight && !name.startsWith("input."); i++) {
                double r = random.nextDouble(-1, 1);
                boolean positive = name.endsWith(".weight") || name.endsWith("running_var");
                d[i] = (float) (positive ? 1 + 0.5 * r : 0.3 * r);
              }
              out.put(name, new HostTensor(t.shape(), d));
            });
    return new Model(m.graph(), out, m.metadata());
  }

  private static byte[] pixels(int n) {
    SplittableRandom random = new SplittableRandom(99);
    byte[] out = new byte[n];
    for (int i = 0; i < n; i++) {
      out[i] = (byte) random.nextInt(256);
    }
    return out;
  }

  private static void upload(Device device, InferenceProgram program, byte[] pixels) {
    try (HostBuffer host = device.hostBuffer(pixels.length)) {
      host.bytes().put(0, pixels);
      device.upload(host, program.pixels());
      host.awaitRead();
    }
  }
}
