package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Precision;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.op.Convolution;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a batch costs the host and the GPU's memory on the CUDA device, and what compiling copies
 * back, counted on the emulated libraries: the tables of src/site/gpu.md, the first whole with
 * {@code -Dsecateur.test.launches.all=true}, else of the small network only. What was counted is
 * written to target/launches.md and target/graph-launches.md.
 */
class CudaLaunchesTest {
  private static final boolean ALL = Boolean.getBoolean("secateur.test.launches.all");

  private static final Pattern LAUNCH =
      Pattern.compile(
          "cuLaunchKernel|cuMemcpyDtoDAsync|cuMemset.*|cublas\\w*(Gemm|gemm|syrk).*"
              + "|cudnn(BackendExecute|ConvolutionForward|ConvolutionBackward|ConvolutionBias|Pooling|BatchNorm).*");

  private static final String GRAPHS = "secateur.cuda.cudnn-graphs";

  private static long launches() {
    return EmulatedCuda.counts()
        .lines()
        .map(l -> l.split(" ", 2))
        .filter(p -> LAUNCH.matcher(p[1]).matches())
        .mapToLong(p -> Long.parseLong(p[0]))
        .sum();
  }

  private static String inference(Network net, int batch, Optional<ForwardHook> hook) {
    EmulatedCuda.reset();
    try (InferenceProgram p = InferenceProgram.compile(net, batch, hook)) {
      long copies = EmulatedCuda.count("cuMemcpyDtoH");
      p.run(); // what is refused is found out
      EmulatedCuda.reset();
      p.run();
      long bytes = p.steps().stream().mapToLong(Step::bytes).sum();
      return String.format(Locale.ROOT, "%d | %.1f | %d", launches(), bytes / 1e6, copies);
    }
  }

  private static String training(Network net, int batch) {
    Learning sgd = Learning.sgd(0.9f, true, 1e-4f, true, 0.1f);
    try (TrainingProgram p = TrainingProgram.compile(net, batch, sgd, 4)) {
      p.step();
      EmulatedCuda.reset();
      p.step();
      return Long.toString(launches());
    }
  }

  private static Optional<ForwardHook> hook(Graph graph, Pooling pooling, boolean all) {
    List<String> layers = new ArrayList<>();
    for (Node n : graph.nodes()) {
      boolean inside = n.name().matches(".*\\.conv1|features.*") || all;
      if (n.op() instanceof Convolution && inside) {
        layers.add(n.name());
      }
    }
    return Optional.of(pooling.hook(graph, layers));
  }

  @Test
  void launchesBytesAndCopiesAreWhatTheyWere() throws IOException {
    assumeTrue(TestCuda.emulated(), "the emulated libraries count");
    StringBuilder out = new StringBuilder();
    for (String name : List.of("resnet20", "resnet50", "vgg16_bn_cifar").subList(0, ALL ? 3 : 1)) {
      Model model = Architectures.create(name, 10, 3, 32, 1);
      for (Precision precision : Precision.values()) {
        try (Device device = TestCuda.open(precision);
            Network net = new Network(device, model)) {
          Pooling ours = new Pooling(PoolSpec.Kind.AVERAGE, Pooling.Place.ACTIVATION);
          Pooling paper = new Pooling(PoolSpec.Kind.MAX, Pooling.Place.CONVOLUTION);
          out.append("| ")
              .append(name)
              .append(" | ")
              .append(precision)
              .append(" | ")
              .append(inference(net, 1, Optional.empty()))
              .append(" | ")
              .append(inference(net, 1, hook(model.graph(), ours, false)).split(" ")[0])
              .append(" | ")
              .append(inference(net, 1, hook(model.graph(), paper, true)).split(" ")[0])
              .append(" | ")
              .append(training(net, 2))
              .append(" |\n");
        }
      }
    }
    Files.writeString(Path.of("target", "launches.md"), out);
    List<String> wanted = expected("launches.md");
    assertEquals(12, wanted.size());
    assertEquals(
        wanted.stream().filter(l -> ALL || l.contains("resnet20")).toList(),
        out.toString().lines().toList());
  }

  private static List<String> expected(String table) throws IOException {
    try (InputStream in = CudaLaunchesTest.class.getResourceAsStream("/plans/" + table)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }

  /**
   * Networks with SiLU and hard-swish, in narrow copies: by cuDNN's older calls alone, and with its
   * graph API where that is faster, which on the emulated libraries means fewer launches.
   */
  @Test
  void functionsBehindConvolutionsNeedFewerLaunches(@TempDir Path dir) throws IOException {
    assumeTrue(TestCuda.emulated(), "the emulated libraries count");
    StringBuilder out = new StringBuilder();
    for (String name : List.of("efficientnet", "mobilenet_v3_small")) {
      Path file = Fixtures.unpacked(name + ".onnx.gz", dir);
      Model model = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
      for (Precision precision : Precision.values()) {
        List<Long> each = new ArrayList<>();
        for (String use : List.of("never", "measure")) {
          System.setProperty(GRAPHS, use);
          try (Device device = TestCuda.open(precision);
              Network net = new Network(device, model)) {
            each.add(Long.parseLong(inference(net, 1, Optional.empty()).split(" ")[0]));
          } finally {
            System.clearProperty(GRAPHS);
          }
        }
        out.append(
            String.format("| %s | %s | %d | %d |%n", name, precision, each.get(0), each.get(1)));
        assertEquals(precision == Precision.FP32, each.get(0).equals(each.get(1)), out.toString());
        assertTrue(each.get(1) <= each.get(0), out.toString());
      }
    }
    Files.writeString(Path.of("target", "graph-launches.md"), out);
    assertEquals(expected("graph-launches.md"), out.toString().lines().toList());
  }
}
