package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.MixedPrecision;
import dev.secateur.device.ParameterCopy;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
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
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks in 16 bits and TF32 on the CUDA device against themselves in single precision. */
class MixedPrecisionTest {
  private static final int BATCH = 8;

  /** Half the distance between 1 and the next number: what one rounding may change. */
  private static double unit(Precision p) {
    return p == Precision.BF16 ? 0x1p-8 : 0x1p-11;
  }

  // ---- kernels ---------------------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
  void packingTurnsFiltersAndUnpackingTurnsGradientsBack(Precision precision) {
    try (Device d = TestCuda.open(precision);
        Arena arena = d.newArena()) {
      MixedPrecision m = d.mixedPrecision().orElseThrow();
      // a vector (11) at 0, filters (5,3,2,2) at 16, (2,7,1,1) at 96, a matrix (3,4) at 112
      int n = 128;
      float[] values = new float[n];
      for (int i = 0; i < n; i++) {
        values[i] = i - 40; // all types hold these
      }
      Tensor flat = arena.floats(n);
      d.upload(values, flat);
      List<ParameterCopy> copies =
          List.of(
              new ParameterCopy(flat.view(0, Shape.of(11)), 0, Shape.of(16)),
              new ParameterCopy(flat.view(16, Shape.of(5, 3, 2, 2)), 16, Shape.of(8, 4, 2, 2)),
              new ParameterCopy(flat.view(96, Shape.of(2, 7, 1, 1)), 144, Shape.of(2, 7, 1, 1)),
              new ParameterCopy(flat.view(112, Shape.of(3, 4)), 160, Shape.of(3, 8)));
      Tensor packed = arena.allocate(Shape.of(192), d.activationType(), Layout.PLAIN);
      m.pack(flat, copies, packed, arena).launch();
      float[] expected = new float[192];
      System.arraycopy(values, 0, expected, 0, 11);
      for (int i = 0; i < 60; i++) { // K, R, S, C
        int k = i / 12;
        int position = i / 3 % 4;
        expected[16 + (k * 4 + position) * 4 + i % 3] = values[16 + (k * 3 + i % 3) * 4 + position];
      }
      System.arraycopy(values, 96, expected, 144, 14);
      for (int row = 0; row < 3; row++) {
        System.arraycopy(values, 112 + 4 * row, expected, 160 + 8 * row, 4);
      }
      assertArrayEquals(expected, d.downloadFloats(packed));
      // as a convolution sees them
      Tensor first =
          new Tensor(
              packed.buffer(),
              packed.byteOffset() + 16L * packed.dtype().bytes(),
              Shape.of(8, 4, 2, 2),
              packed.dtype(),
              d.weightLayout());
      float[] seen = d.downloadFloats(first);
      for (int i = 0; i < seen.length; i++) {
        int k = i / 16;
        int c = i / 4 % 4;
        float wanted = k < 5 && c < 3 ? values[16 + (k * 3 + c) * 4 + i % 4] : 0;
        assertEquals(wanted, seen[i], "element " + i);
      }

      Tensor gradients = arena.floats(n);
      float[] others = new float[n];
      Arrays.fill(others, 8);
      d.upload(others, gradients);
      Optional<Tensor> state = Optional.empty();
      if (m.scalesLoss()) {
        state = Optional.of(arena.floats(3));
        d.upload(new float[] {4, 17, 0}, state.get());
      }
      m.unpack(packed, flat, copies, gradients, state, arena).launch();
      expected = new float[n];
      float scale = m.scalesLoss() ? 4 : 1;
      for (int i = 0; i < n; i++) {
        boolean filter = i >= 16 && i < 76 || i >= 96 && i < 110;
        expected[i] = (filter ? values[i] : 8) / scale;
      }
      assertArrayEquals(expected, d.downloadFloats(gradients));
      if (m.scalesLoss()) {
        assertArrayEquals(new float[] {4, 17, 0}, d.downloadFloats(state.get()));
      }
    }
  }

  /** Whatever lies in the last element of filters, or in a vector: infinity or NaN. */
  @Test
  void overflowSkipsTheStepAndHalvesTheScale() {
    try (Device d = TestCuda.open(Precision.FP16);
        Arena arena = d.newArena()) {
      MixedPrecision m = d.mixedPrecision().orElseThrow();
      Tensor flat = arena.floats(32);
      Shape bank = Shape.of(1, 2, 2, 2);
      List<ParameterCopy> copies =
          List.of(
              new ParameterCopy(flat.view(0, bank), 0, bank),
              new ParameterCopy(flat.view(16, Shape.of(16)), 16, Shape.of(16)));
      Tensor packed = arena.allocate(Shape.of(32), d.activationType(), Layout.PLAIN);
      Tensor gradients = arena.floats(32);
      Tensor velocity = arena.floats(32);
      Tensor lr = arena.floats(1);
      d.upload(new float[] {1}, lr);
      Tensor state = arena.floats(3);
      d.upload(new float[] {1024, 1998, 0}, state);
      Kernel unpack = m.unpack(packed, flat, copies, gradients, Optional.of(state), arena);
      Kernel step = m.sgd(flat, gradients, velocity, lr, new SgdSpec(0.9f, false, 0, 0), state);
      float[] ones = new float[32];
      Arrays.fill(ones, 1);
      for (int bad : new int[] {7, 31}) {
        for (float v : new float[] {Float.POSITIVE_INFINITY, Float.NaN}) {
          d.upload(new float[] {1024, 1998, 0}, state);
          float[] g = ones.clone();
          g[bad] = v;
          d.upload(g, bad < 8 ? packed : gradients);
          unpack.launch();
          step.launch();
          assertArrayEquals(new float[] {512, 0, 0}, d.downloadFloats(state));
          assertArrayEquals(new float[32], d.downloadFloats(flat), "no parameter changes");
          assertArrayEquals(new float[32], d.downloadFloats(velocity), "no momentum changes");
          d.upload(ones, packed);
          d.upload(ones, gradients);
        }
      }
      d.upload(new float[] {1024, 1998, 0}, state);
      unpack.launch();
      step.launch();
      assertArrayEquals(new float[] {1024, 1999, 0}, d.downloadFloats(state));
      assertEquals(-1 / 1024f, d.downloadFloats(flat)[0], "a good step is taken");
      step.launch();
      assertArrayEquals(new float[] {2048, 0, 0}, d.downloadFloats(state), "2000 good steps");
    }
  }

  // ---- networks --------------------------------------------------------------------------------

  /** Channel counts that are no multiples of 8 or 4, grouped, dilated, lopsided, all poolings. */
  private static Graph odd() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 11, 9), List.of()));
    n.add(node("c1", new Convolution(10, 3, 3, ConvolutionSpec.of(1, 1), true), "input"));
    n.add(node("b1", new BatchNorm(1e-5f, 0.1f), "c1"));
    n.add(node("r1", new Activate(Activation.RELU), "b1"));
    ConvolutionSpec grouped = new ConvolutionSpec(1, 1, 1, 2, 1, 0, 1, 1, 2);
    n.add(node("c2", new Convolution(6, 3, 3, grouped, false), "r1"));
    ConvolutionSpec dilated = new ConvolutionSpec(1, 1, 2, 2, 2, 2, 2, 2, 1);
    n.add(node("c3", new Convolution(5, 3, 3, dilated, true), "r1"));
    n.add(node("r3", new Activate(Activation.RELU6), "c3"));
    ConvolutionSpec depthwise = new ConvolutionSpec(1, 1, 2, 2, 2, 2, 2, 2, 10);
    n.add(node("c4", new Convolution(10, 3, 3, depthwise, false), "r1"));
    n.add(node("m", new Pool(PoolSpec.square(PoolSpec.Kind.MAX, 3, 1, 1)), "c4"));
    n.add(node("cat", new Concat(), "c2", "r3", "m"));
    n.add(node("b4", new BatchNorm(1e-5f, 0.1f), "cat"));
    n.add(node("avg", new Pool(PoolSpec.square(PoolSpec.Kind.AVERAGE, 2, 2, 1)), "b4"));
    n.add(node("c5", new Convolution(25, 1, 1, ConvolutionSpec.of(1, 0), false), "avg"));
    n.add(node("short", new Shortcut(1, 1, 3), "avg"));
    n.add(node("add", new Add(), "c5", "short"));
    n.add(node("r6", new Activate(Activation.RELU), "add"));
    n.add(node("twice", new Add(), "r6", "r6"));
    n.add(node("flat", new Flatten(), "twice"));
    n.add(node("fc1", new Linear(17, true), "flat"));
    n.add(node("fc2", new Linear(4, true), "fc1"));
    return new Graph(n);
  }

  private static Node node(String name, Op op, String... inputs) {
    return new Node(name, op, List.of(inputs));
  }

  private static Model model(String name) {
    Graph graph =
        switch (name) {
          case "odd" -> odd();
          case "every op" -> VisionGraph.create();
          case "shared" -> TrainingProgramTest.sharing();
          default -> Architectures.graph(name, 4, 3, 32);
        };
    SplittableRandom random = new SplittableRandom(8);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (parameter, shape) -> {
              float[] d = new float[(int) shape.elements()];
              double std = shape.rank() > 1 ? Math.sqrt(1.0 * shape.dim(0) / d.length) : 0.1;
              for (int i = 0; i < d.length; i++) {
                boolean one =
                    shape.rank() == 1 && !parameter.endsWith("bias") && !parameter.endsWith("mean");
                d[i] = (float) (std * random.nextGaussian() + (one ? 1 : 0));
              }
              if (parameter.equals("input.mean") || parameter.equals("input.std")) {
                Arrays.fill(d, parameter.endsWith("mean") ? 127 : 64);
              }
              parameters.put(parameter, new HostTensor(shape, d));
            });
    return new Model(graph, parameters, Map.of());
  }

  private static void upload(Device device, Tensor pixels) {
    byte[] bytes = new byte[(int) pixels.elements()];
    new SplittableRandom(3).nextBytes(bytes);
    try (HostBuffer host = device.hostBuffer(bytes.length)) {
      host.bytes().put(0, bytes);
      device.upload(host, pixels);
      host.awaitRead();
    }
  }

  private static float[] infer(Precision precision, Model model) {
    try (Device device = TestCuda.open(precision);
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, BATCH, Optional.empty())) {
      upload(device, program.pixels());
      program.run();
      float[] once = device.downloadFloats(program.output());
      program.run();
      assertArrayEquals(once, device.downloadFloats(program.output()), "a second run is equal");
      return once;
    }
  }

  /**
   * As if every layer rounded by itself: errors grow with the root of the depth; in the network of
   * every op, norms and sigmoids damp them.
   */
  @ParameterizedTest
  @CsvSource({
    "odd, 8",
    "shared, 10",
    "every op, 4",
    "resnet8, 8",
    "resnet20, 20",
    "resnet14b, 14",
    "vgg11_bn_cifar, 11",
  })
  void logitsAgreeWithSinglePrecision(String name, int depth) {
    Model model = model(name);
    float[] expected = infer(Precision.FP32, model);
    for (Precision p : List.of(Precision.TF32, Precision.FP16, Precision.BF16)) {
      double error = distance(expected, infer(p, model)) / distance(expected, new float[0]);
      assertTrue(error <= 4 * unit(p) * Math.sqrt(depth), p + ": " + error);
      assertTrue(error > 0, p + " rounds");
    }
  }

  /** A result that is no linear layer's is widened for the loss. */
  @Test
  void poolingMayBeTheLastLayer() {
    List<Node> n = new ArrayList<>();
    n.add(new Node("input", new Input(3, 6, 5), List.of()));
    n.add(node("c", new Convolution(5, 3, 3, ConvolutionSpec.of(1, 1), true), "input"));
    n.add(node("g", new GlobalPool(PoolSpec.Kind.AVERAGE), "c"));
    n.add(node("flat", new Flatten(), "g"));
    Model fresh = model("odd");
    Graph graph = new Graph(n);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph)
        .forEach(
            (name, shape) -> {
              float[] d = new float[(int) shape.elements()];
              float[] from = fresh.parameters().get("fc1.weight").data();
              System.arraycopy(from, 0, d, 0, d.length);
              if (name.startsWith("input")) {
                Arrays.fill(d, 100);
              }
              parameters.put(name, new HostTensor(shape, d));
            });
    Model model = new Model(graph, parameters, Map.of());
    float[] expected = infer(Precision.FP32, model);
    float[] got = infer(Precision.FP16, model);
    assertTrue(distance(expected, got) <= 0x1p-9 * distance(expected, new float[0]));
    Trained a = train(Precision.FP32, model, 1, 0.1f);
    Trained b = train(Precision.FP16, model, 1, 0.1f);
    assertTrue(distance(a.moved(), b.moved()) <= 0.01 * distance(a.moved(), new float[0]));
  }

  private record Trained(double loss, float[] moved, Model model, float scale) {}

  private static Trained train(Precision precision, Model model, int steps, float lr) {
    try (Device device = TestCuda.open(precision);
        Network net = new Network(device, model);
        TrainingProgram program =
            TrainingProgram.compile(net, BATCH, Learning.sgd(0.9f, true, 1e-3f, true, 0.1f), 0)) {
      upload(device, program.pixels());
      device.upload(new int[] {0, 1, 2, 3, 0, 1, 2, -1}, program.labels());
      program.setLearningRate(lr);
      for (int i = 0; i < steps; i++) {
        program.step();
      }
      double[] m = device.downloadDoubles(program.metrics());
      Model after = net.toModel();
      return new Trained(m[0] / m[3], moved(model, after), after, program.lossScale());
    }
  }

  /** What training added to all trainable parameters. */
  private static float[] moved(Model before, Model after) {
    List<Float> all = new ArrayList<>();
    before
        .parameters()
        .forEach(
            (name, t) -> {
              float[] b = after.parameters().get(name).data();
              for (int i = 0; ParameterShapes.trainable(name) && i < b.length; i++) {
                all.add(b[i] - t.data()[i]);
              }
            });
    float[] out = new float[all.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = all.get(i);
    }
    return out;
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      double d = a[i] - (b.length == 0 ? 0 : b[i]);
      sum += d * d;
    }
    return Math.sqrt(sum);
  }

  /**
   * Steps as long and in the same direction. Of the ReLUs of a layer, a share like the rounding
   * opens instead of closing; gradients differ by the root of that share.
   */
  @ParameterizedTest
  @CsvSource({
    "odd, 0.02, 8",
    "shared, 0.02, 10",
    "every op, 0.02, 6",
    "resnet8, 0.01, 8",
    "resnet14b, 0.01, 14",
    "resnet8, 0.05, 8"
  })
  void trainingStepsAgreeWithSinglePrecision(String name, float lr, int depth) {
    Model model = model(name);
    int steps = 4;
    Trained expected = train(Precision.FP32, model, steps, lr);
    double length = distance(expected.moved(), new float[0]);
    for (Precision p : List.of(Precision.TF32, Precision.FP16, Precision.BF16)) {
      Trained got = train(p, model, steps, lr);
      double near = Math.sqrt(depth * unit(p));
      double error = distance(expected.moved(), got.moved()) / length;
      assertTrue(error <= near, p + " moved otherwise: " + error);
      assertEquals(expected.loss(), got.loss(), 8 * unit(p) * expected.loss(), p + " loss");
      assertEquals(p == Precision.FP16 ? 65536 : 1, got.scale(), p + " had no overflow");
      // running statistics
      expected
          .model()
          .parameters()
          .forEach(
              (parameter, t) -> {
                float[] b = got.model().parameters().get(parameter).data();
                double e = distance(t.data(), b) / distance(t.data(), new float[0]);
                assertTrue(e <= 16 * unit(p) + near * lr, p + ", " + parameter + ": " + e);
              });
    }
  }

  /** A last layer that is far too steep: steps are skipped until the scale is small enough. */
  @Test
  void overflowInANetworkSkipsStepsUntilTheScaleFits() {
    Model model = model("odd");
    Map<String, HostTensor> steep = new LinkedHashMap<>(model.parameters());
    HostTensor w = steep.get("fc2.weight");
    float[] d = w.data().clone();
    for (int i = 0; i < d.length; i++) {
      d[i] *= 30;
    }
    steep.put("fc2.weight", new HostTensor(w.shape(), d));
    Model start = new Model(model.graph(), steep, Map.of());
    Trained once = train(Precision.FP16, start, 1, 0.1f);
    assertEquals(32768, once.scale());
    assertEquals(0, distance(once.moved(), new float[0]), "the step was skipped");
    assertTrue(Double.isFinite(once.loss()));
    int steps = 1;
    Trained got = once;
    while (distance(got.moved(), new float[0]) == 0 && steps < 16) {
      steps++;
      got = train(Precision.FP16, start, steps, 1e-4f);
    }
    assertEquals(65536 / Math.pow(2, steps - 1), got.scale(), "halved by every step but the last");
    for (float f : got.moved()) {
      assertFalse(Float.isNaN(f) || Float.isInfinite(f));
    }
    // bfloat16 has the exponents of F32 and needs no scale
    Trained bf16 = train(Precision.BF16, start, 1, 1e-4f);
    assertTrue(distance(bf16.moved(), new float[0]) > 0);
  }

  /** Whatever cuDNN refuses, other kernels do. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize",
        "cudnnBatchNormalizationForwardTrainingEx",
        "cudnnConvolutionBiasActivationForward"
      })
  void whatCudnnDoesNotSupportIsDoneOtherwise(String function) {
    assumeTrue(TestCuda.emulated());
    Model model = model("odd");
    float[] logits = infer(Precision.FP16, model);
    Trained expected = train(Precision.FP16, model, 3, 0.02f);
    EmulatedCuda.fail(function, -1);
    try {
      float[] got = infer(Precision.FP16, model);
      assertTrue(distance(logits, got) <= 0x1p-8 * distance(logits, new float[0]));
      Trained trained = train(Precision.FP16, model, 3, 0.02f);
      double length = distance(expected.moved(), new float[0]);
      assertTrue(distance(expected.moved(), trained.moved()) <= 0.02 * length);
      assertTrue(EmulatedCuda.count(function) > 0, "was asked");
    } finally {
      EmulatedCuda.reset();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "odd, TF32",
    "odd, FP16",
    "odd, BF16",
    "every op, TF32",
    "every op, FP16",
    "every op, BF16"
  })
  void stepsNeitherWaitNorAllocateNorReadBack(String name, Precision precision) {
    assumeTrue(TestCuda.emulated());
    Model model = model(name);
    String[] names = {
      "synchronisations", "cuMemAlloc", "cuMemAllocAsync", "bytes DtoH", "bytes HtoD"
    };
    try (Device device = TestCuda.open(precision);
        Network net = new Network(device, model);
        TrainingProgram program =
            TrainingProgram.compile(net, BATCH, Learning.sgd(0.9f, true, 1e-3f, true, 0.1f), 0);
        InferenceProgram inference = InferenceProgram.compile(net, 3, Optional.empty())) {
      program.setLearningRate(0.01f);
      program.step();
      inference.run();
      device.synchronize();
      long[] before = Arrays.stream(names).mapToLong(EmulatedCuda::count).toArray();
      for (int i = 0; i < 3; i++) {
        program.step();
        inference.run();
      }
      assertArrayEquals(before, Arrays.stream(names).mapToLong(EmulatedCuda::count).toArray());
    }
  }
}
