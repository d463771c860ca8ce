package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients and SGD of whole networks: against PyTorch, and against finite differences. */
class TrainingProgramTest {

  /** Three steps with momentum, Nesterov, weight decay and label smoothing. */
  @Test
  void aResnetLearnsAsInPyTorch() throws IOException {
    JsonNode fixture = fixture("resnet8");
    try (Device device = new CpuDevice();
        Network net = new Network(device, weaved(0));
        TrainingProgram program =
            TrainingProgram.compile(net, 4, Learning.sgd(0.9f, true, 1e-2f, true, 0.1f), 0)) {
      upload(device, program, weavedPixels(99), 3, 0, 9, 3);
      program.setLearningRate(0.05f);
      for (JsonNode step : fixture.get("steps")) {
        program.clearMetrics();
        program.step();
        assertEquals(
            step.get("loss").asDouble(), device.downloadDoubles(program.metrics())[0] / 4, 1e-4);
        step.get("gradients")
            .fields()
            .forEachRemaining(
                e -> {
                  float[] g = device.downloadFloats(program.gradient(e.getKey()));
                  double[] w = weave(g.length, 7);
                  double dot = 0;
                  for (int i = 0; i < g.length; i++) {
                    dot += g[i] * w[i];
                  }
                  double norm = e.getValue().get(0).asDouble();
                  double near = 2e-3 * norm;
                  assertEquals(norm, norm(g), near, e.getKey());
                  assertEquals(e.getValue().get(1).asDouble(), dot, near, e.getKey());
                  for (int i = 0; i < Math.min(8, g.length); i++) {
                    assertEquals(e.getValue().get(2 + i).asDouble(), g[i], near, e.getKey());
                  }
                });
        step.get("parameters")
            .fields()
            .forEachRemaining(
                e -> {
                  float[] p = device.downloadFloats(net.parameter(e.getKey()));
                  double norm = e.getValue().get(0).asDouble();
                  assertEquals(norm, norm(p), 1e-3 * norm, e.getKey());
                  for (int i = 0; i < Math.min(8, p.length); i++) {
                    assertEquals(e.getValue().get(1 + i).asDouble(), p[i], 1e-3 * norm, e.getKey());
                  }
                });
        step.get("running")
            .fields()
            .forEachRemaining(
                e -> {
                  float[] p = device.downloadFloats(net.parameter(e.getKey()));
                  for (int i = 0; i < 8; i++) {
                    double want = e.getValue().get(i).asDouble();
                    assertEquals(want, p[i], 1e-3 * (1 + Math.abs(want)), e.getKey());
                  }
                });
      }
    }
  }

  /**
   * Every op in one small graph: groups, dilation, asymmetric padding, bias, ReLU6, concat, three
   * poolings, shortcut, add with fused ReLU, a value with three readers, flatten of a plane.
   */
  @Test
  void everyOpsGradientEqualsFiniteDifferences() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 9, 9), List.of()));
    n.add(node("c1", new Convolution(6, 3, 3, ConvolutionSpec.of(1, 1), true), "input"));
    n.add(node("b1", new BatchNorm(1e-5f, 0.1f), "c1"));
    n.add(node("r1", new Activate(Activation.RELU), "b1"));
    ConvolutionSpec grouped = new ConvolutionSpec(1, 1, 1, 2, 1, 0, 1, 1, 2);
    n.add(node("c2", new Convolution(4, 3, 3, grouped, false), "r1"));
    ConvolutionSpec dilated = new ConvolutionSpec(1, 1, 2, 2, 2, 2, 2, 2, 1);
    n.add(node("c3", new Convolution(5, 3, 3, dilated, true), "r1"));
    n.add(node("r3", new Activate(Activation.RELU6), "c3"));
    n.add(node("m", new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 3, 1, 1)), "r1"));
    n.add(node("cat", new Concat(), "c2", "r3", "m"));
    n.add(node("b4", new BatchNorm(1e-5f, 0.1f), "cat"));
    n.add(
        node(
            "avg",
            new Pool(PoolSpec.square(PoolSpec.Kind.AVERAGE_INCLUDE_PADDING, 2, 2, 1)),
            "b4"));
    n.add(node("c5", new Convolution(19, 1, 1, ConvolutionSpec.of(1, 0), false), "avg"));
    n.add(node("short", new Shortcut(1, 1, 3), "avg"));
    n.add(node("add", new Add(), "c5", "short"));
    n.add(node("r6", new Activate(Activation.RELU), "add"));
    n.add(node("twice", new Add(), "r6", "r6"));
    n.add(node("id", new Identity(), "twice"));
    n.add(node("avg2", new Pool(PoolSpec.square(PoolSpec.Kind.AVERAGE, 3, 2, 1)), "id"));
    n.add(node("half", new Shortcut(2, 2, 0), "avg2"));
    n.add(node("flat", new Flatten(), "half"));
    n.add(node("fc1", new Linear(7, true), "flat"));
    n.add(node("fc2", new Linear(4, false), "fc1"));
    checkGradients(new CpuDevice(), new Graph(n), 5);
  }

  @ParameterizedTest
  @ValueSource(strings = {"resnet14b", "vgg11_bn_cifar"})
  void aWholeNetworksGradientEqualsFiniteDifferences(String name) {
    checkGradients(new CpuDevice(), Architectures.graph(name, 10, 3, 32), 2);
  }

  @Test
  void theGradientBeyondPlainChainsEqualsFiniteDifferences() {
    checkGradients(new CpuDevice(), VisionGraph.create(), 5);
  }

  @Test
  void theGradientBeyondPlainChainsEqualsFiniteDifferencesOnCuda() {
    checkGradients(TestCuda.open(), VisionGraph.create(), 5);
  }

  /** Gradients of layers with one set of parameters add, whatever their strides. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theGradientOfSharedParametersEqualsFiniteDifferences(boolean cuda) {
    checkGradients(cuda ? TestCuda.open() : new CpuDevice(), sharing(), 6);
  }

  /** Layers with one set of parameters. */
  static Graph sharing() {
    Convolution conv = new Convolution(6, 3, 3, ConvolutionSpec.of(1, 1), true);
    Convolution strided = new Convolution(6, 3, 3, ConvolutionSpec.of(2, 1), true);
    BatchNorm norm = new BatchNorm(1e-2f, 0.1f);
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 8, 8), List.of()));
    n.add(node("stem", new Convolution(6, 3, 3, ConvolutionSpec.of(1, 1), false), "input"));
    n.add(node("a", conv, "stem"));
    n.add(node("bna", norm, "a"));
    n.add(node("ra", new Activate(Activation.RELU), "bna"));
    n.add(new Node("b", strided, List.of("ra"), "a"));
    n.add(new Node("bnb", norm, List.of("b"), "bna"));
    n.add(new Node("c", conv, List.of("bnb"), "a"));
    n.add(node("pa", new PRelu(), "c"));
    n.add(new Node("pb", new PRelu(), List.of("bnb"), "pa"));
    n.add(node("sum", new Add(), "pa", "pb"));
    n.add(node("flat", new Flatten(), "sum"));
    n.add(node("fa", new Linear(96, true), "flat"));
    n.add(new Node("fb", new Linear(96, true), List.of("fa"), "fa"));
    n.add(node("fc", new Linear(5, true), "fb"));
    return new Graph(n);
  }

  private static Node node(String name, Op op, String... inputs) {
    return new Node(name, op, List.of(inputs));
  }

  /**
   * Along a random direction a parameter at a time: (L(p + hd) - L(p - hd)) / 2h. In single
   * precision and across ReLU kinks; hence the tolerance and the aggregate over all parameters.
   */
  private static void checkGradients(Device opened, Graph graph, int batch) {
    SplittableRandom random = new SplittableRandom(8);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              float[] d = new float[(int) shape.elements()];
              double std = shape.rank() > 1 ? Math.sqrt(2.0 * shape.dim(0) / d.length) : 0.2;
              for (int i = 0; i < d.length; i++) {
                boolean one = shape.rank() == 1 && !name.endsWith("bias") && !name.endsWith("mean");
                d[i] = (float) (std * random.nextGaussian() + (one ? 1 : 0));
              }
              if (name.equals("input.mean") || name.equals("input.std")) {
                java.util.Arrays.fill(d, name.endsWith("mean") ? 127 : 64);
              }
              parameters.put(name, new HostTensor(shape, d));
            });
    try (Device device = opened;
        Network net = new Network(device, new Model(graph, parameters, Map.of()));
        TrainingProgram program =
            TrainingProgram.compile(net, batch, Learning.sgd(0, false, 0, true, 0.1f), 0)) {
      byte[] pixels = new byte[(int) program.pixels().elements()];
      random.nextBytes(pixels);
      int[] labels = random.ints(batch, 0, 4).toArray();
      upload(device, program, pixels, labels);
      program.backpropagate();
      Map<String, float[]> gradients = new LinkedHashMap<>();
      for (String name : parameters.keySet()) {
        if (ParameterShapes.trainable(name)) {
          gradients.put(name, device.downloadFloats(program.gradient(name)));
        }
      }
      double largest =
          gradients.values().stream().mapToDouble(TrainingProgramTest::norm).max().orElseThrow();
      int close = 0;
      for (Map.Entry<String, float[]> e : gradients.entrySet()) {
        float[] g = e.getValue();
        double norm = norm(g);
        // along the gradient itself, half mixed with noise, so that a wrong element shows
        double[] d = new double[g.length];
        double length = 0;
        for (int i = 0; i < d.length; i++) {
          d[i] = g[i] / (norm + 1e-12) + random.nextGaussian() / Math.sqrt(d.length);
          length += d[i] * d[i];
        }
        double dot = 0;
        for (int i = 0; i < d.length; i++) {
          d[i] /= Math.sqrt(length);
          dot += d[i] * g[i];
        }
        float[] p = parameters.get(e.getKey()).data();
        double best = Double.MAX_VALUE;
        for (double h : new double[] {3e-2, 1e-2, 3e-3, 1e-3}) {
          double slope =
              (loss(device, net, program, e.getKey(), p, d, h)
                      - loss(device, net, program, e.getKey(), p, d, -h))
                  / (2 * h);
          best = Math.min(best, Math.abs(slope - dot));
        }
        device.upload(p, net.parameter(e.getKey()));
        double error = best / (Math.abs(dot) + 2e-3 * largest);
        assertTrue(error < 0.1, e.getKey() + ": relative error " + error + ", slope " + dot);
        close += error < 0.02 ? 1 : 0;
      }
      assertTrue(close >= 0.8 * gradients.size(), close + " of " + gradients.size());
    }
  }

  private static double loss(
      Device device,
      Network net,
      TrainingProgram program,
      String name,
      float[] p,
      double[] d,
      double h) {
    float[] moved = new float[p.length];
    for (int i = 0; i < p.length; i++) {
      moved[i] = (float) (p[i] + h * d[i]);
    }
    device.upload(moved, net.parameter(name));
    program.clearMetrics();
    program.backpropagate();
    double[] m = device.downloadDoubles(program.metrics());
    return m[0] / m[3];
  }

  /** Only weights decay: PyTorch's SGD with two parameter groups. */
  @Test
  void normsAndBiasesDoNotDecay() throws IOException {
    checkVariant("two groups", Learning.sgd(0.9f, true, 1e-1f, false, 0), 0.05f);
  }

  @Test
  void adamWStepsAsInPyTorch() throws IOException {
    Learning adamW =
        new Learning(
            new Learning.AdamW(0.8f, 0.99f, 1e-8f),
            1e-1f,
            false,
            0,
            Optional.empty(),
            0,
            Optional.empty());
    checkVariant("adamw", adamW, 1e-3f);
  }

  @Test
  void aTeacherIsImitatedAsInPyTorch() throws IOException {
    Learning.Distillation distillation = new Learning.Distillation(4, 0.9f);
    checkVariant("distillation", plain(Optional.of(distillation), 0), 0.05f);
  }

  /** Parameters and running statistics alike, as timm's ModelEmaV2. */
  @Test
  void theMovingAverageFollowsAsInPyTorch() throws IOException {
    checkVariant("average", plain(Optional.empty(), 0.8f), 0.05f);
  }

  @Test
  void scalesOfNormsArePulledAsInPyTorch() throws IOException {
    checkPenalty("bn-scale", GroupPenalty.LASSO, 0.05, blocks("bn1"), false);
  }

  /** One of the filters is zero: it has no gradient of its norm. */
  @Test
  void normsOfFiltersArePulledAsInPyTorch() throws IOException {
    checkPenalty("group-lasso", GroupPenalty.LASSO, 0.05, blocks("conv1"), false);
  }

  @Test
  void chosenFiltersArePulledMoreAndMoreAsInPyTorch() throws IOException {
    int[] chosen = {0, 5, 31};
    Map<String, int[]> both =
        Map.of("layer2.0.conv1.weight", chosen, "layer2.0.bn1.weight", chosen);
    checkPenalty("growing", GroupPenalty.RIDGE, 3, both, true);
  }

  /** All filters or channels of the first half of each block. */
  private static Map<String, int[]> blocks(String layer) {
    Map<String, int[]> out = new LinkedHashMap<>();
    for (int i = 1; i <= 3; i++) {
      out.put("layer" + i + ".0." + layer + ".weight", IntStream.range(0, 8 << i).toArray());
    }
    return out;
  }

  private static void checkPenalty(
      String name, GroupPenalty kind, double strength, Map<String, int[]> slices, boolean grows)
      throws IOException {
    Penalty penalty = new Penalty(kind, slices, strength, grows);
    checkVariant(name, plain(Optional.empty(), 0).with(penalty), 0.05f);
  }

  private static Learning plain(Optional<Learning.Distillation> distillation, float ema) {
    return new Learning(
        new Learning.Sgd(0.9f, false), 0, false, 0, distillation, ema, Optional.empty());
  }

  /** As torch.optim.swa_utils.update_bn over two batches. */
  @Test
  void statisticsOfNormsAreTakenAnewAsInPyTorch() throws IOException {
    for (Device opened : List.of(new CpuDevice(), TestCuda.open())) {
      try (Device device = opened;
          Network net = new Network(device, weaved(0));
          NormStatistics statistics = new NormStatistics(net, 4)) {
        for (int seed : new int[] {99, 55}) {
          upload(device, statistics.input().pixels(), weavedPixels(seed));
          statistics.observe();
        }
        statistics.replace();
        assertSeen(fixture("variants").get("recalibration"), device, net);
      }
    }
  }

  private static void checkVariant(String name, Learning learning, float rate) throws IOException {
    JsonNode steps = fixture("variants").get(name).get("steps");
    for (Device opened : List.of(new CpuDevice(), TestCuda.open())) {
      try (Device device = opened;
          Network net = new Network(device, weaved(0));
          Network teacher = new Network(device, weaved(3));
          Network average = net.copy();
          TrainingProgram program =
              TrainingProgram.compile(
                  net,
                  4,
                  learning,
                  0,
                  new TrainingProgram.Companions(
                      Optional.of(teacher),
                      Optional.of(average).filter(a -> learning.ema() > 0),
                      false,
                      false))) {
        upload(device, program, weavedPixels(99), 3, 0, 9, 3);
        program.setLearningRate(rate);
        if (name.equals("group-lasso")) {
          Tensor conv = net.parameter("layer1.0.conv1.weight");
          device.upload(new float[16 * 9], conv.view(0, Shape.of(16, 3, 3)));
        }
        int k = 0;
        for (JsonNode step : steps) {
          double over = k++ / (double) steps.size();
          learning.penalty().ifPresent(p -> program.setPenalty((float) p.at(over)));
          program.clearMetrics();
          program.step();
          double loss = device.downloadDoubles(program.metrics())[0] / 4;
          assertEquals(step.get("loss").asDouble(), loss, 1e-4 * (1 + loss));
          assertSeen(step.get("parameters"), device, net);
          if (step.has("average")) {
            assertSeen(step.get("average"), device, average);
          }
        }
      }
    }
  }

  /** Norms and first elements of parameters. */
  private static void assertSeen(JsonNode expected, Device device, Network net) {
    expected
        .fields()
        .forEachRemaining(
            e -> {
              float[] p = device.downloadFloats(net.parameter(e.getKey()));
              double norm = e.getValue().get(0).asDouble();
              assertEquals(norm, norm(p), 1e-3 * norm, e.getKey());
              for (int i = 0; i < Math.min(8, p.length); i++) {
                assertEquals(e.getValue().get(1 + i).asDouble(), p[i], 1e-3 * norm, e.getKey());
              }
            });
  }

  private static JsonNode fixture(String name) throws IOException {
    try (InputStream in =
        TrainingProgramTest.class.getResourceAsStream("/training/" + name + ".json")) {
      return Json.MAPPER.readTree(in);
    }
  }

  /** A ResNet-8 with the same parameters as in scripts/make-training-fixtures.py. */
  private static Model weaved(int seed) {
    Model fresh = Architectures.create("resnet8", 10, 3, 32, 1);
    Map<String, HostTensor> parameters = new LinkedHashMap<>(fresh.parameters());
    int k = seed;
    for (String name : fresh.parameters().keySet()) {
      if (ParameterShapes.trainable(name)) {
        Shape s = fresh.parameters().get(name).shape();
        double[] w = weave((int) s.elements(), k++);
        float[] d = new float[w.length];
        for (int i = 0; i < d.length; i++) {
          boolean weight = name.endsWith("weight");
          d[i] = (float) (s.rank() > 1 ? w[i] * 0.15 : weight ? 1 + 0.3 * w[i] : 0.2 * w[i]);
        }
        parameters.put(name, new HostTensor(s, d));
      }
    }
    return new Model(fresh.graph(), parameters, Map.of());
  }

  private static byte[] weavedPixels(int seed) {
    double[] image = weave(4 * 3 * 32 * 32, seed);
    byte[] pixels = new byte[image.length];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (int) Math.floor((image[i] + 1) * 127.5);
    }
    return pixels;
  }

  private static void upload(Device device, TrainingProgram program, byte[] pixels, int... labels) {
    upload(device, program.pixels(), pixels);
    device.upload(labels, program.labels());
  }

  private static void upload(Device device, Tensor to, byte[] pixels) {
    try (HostBuffer host = device.hostBuffer(pixels.length)) {
      host.bytes().put(0, pixels);
      device.upload(host, to);
      host.awaitRead();
    }
  }

  private static double norm(float[] v) {
    double sum = 0;
    for (float f : v) {
      sum += (double) f * f;
    }
    return Math.sqrt(sum);
  }

  /** As in scripts/make-training-fixtures.py. */
  private static double[] weave(int n, int seed) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      out[i] = Math.sin(i * 0.7311 + seed * 1.37) * Math.cos(i * 0.1173 + seed);
    }
    return out;
  }
}
