package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
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
  @CsvSource({"MAX, CONVOLUTION", "AVERAGE, CONVOLUTION", "MAX, ACTIVATION", "AVERAGE, ACTIVATION"})
  void tapsPoolConvolutionsRawOrBehindNormAndActivation(PoolSpec.Kind kind, Pooling.Place place) {
    Model model = randomised(Architectures.create("resnet8", 10, 3, 32, 3), 5);
    int batch = 3;
    byte[] pixels = pixels(batch * 3 * 32 * 32);
    Map<String, double[]> values = new ReferenceNetwork(model, batch, pixels).run();
    List<String> convolutions = List.of("layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1");
    FeatureTap tapped = new Pooling(kind, place).tap(model.graph(), convolutions);
    List<String> taps = tapped.nodes();
    for (int i = 0; i < 3; i++) {
      String name = convolutions.get(i);
      boolean raw = place == Pooling.Place.CONVOLUTION;
      assertEquals(raw ? name : name.replace("conv1", "relu1"), taps.get(i));
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, batch, Optional.of(tapped))) {
      upload(device, program, pixels);
      program.run();
      float[] f = device.downloadFloats(program.features());
      int p = 16 + 32 + 64;
      assertEquals(batch * p, f.length);
      int column = 0;
      for (String tap : taps) {
        Shape s = model.graph().shape(tap);
        int plane = s.size(2) * s.size(3);
        for (int c = 0; c < s.size(1); c++, column++) {
          for (int n = 0; n < batch; n++) {
            double max = Double.NEGATIVE_INFINITY;
            double sum = 0;
            for (int i = 0; i < plane; i++) {
              double v = values.get(tap)[(n * s.size(1) + c) * plane + i];
              max = Math.max(max, v);
              sum += v;
            }
            double want = kind == PoolSpec.Kind.MAX ? max : sum / plane;
            assertEquals(want, f[n * p + column], 1e-4 * (1 + Math.abs(want)), tap + " " + c);
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
    assertEquals(List.of("layer1.0.bn2"), pooling.tap(g, List.of("layer1.0.conv2")).nodes());
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
