package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Precision;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What cuDNN refuses is done in another way, and counted. */
class ConvolutionFallbackTest {
  private static final List<String> DIRECTIONS =
      List.of("Forward", "BackwardData", "BackwardFilter");
  private static final String GRAPHS = "secateur.cuda.cudnn-graphs";

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    ampere();
  }

  /** Whatever machine the emulation is otherwise told to be. */
  private static void ampere() {
    EmulatedCuda.reset();
    EmulatedCuda.capability(80);
  }

  @AfterEach
  void reset() {
    System.clearProperty(GRAPHS);
    if (TestCuda.emulated()) {
      EmulatedCuda.reset();
    }
  }

  /** Results of the three passes, of whole numbers: y, the gradients of x and of w. */
  private static List<float[]> convolve(Device d, int groups, Epilogue epilogue) {
    ConvolutionSpec spec = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, groups);
    try (Arena a = d.newArena()) {
      Tensor x = activations(d, a, 2, 4, 6, 6);
      Tensor y = activations(d, a, 2, 8, 6, 6);
      Tensor w = a.allocate(Shape.of(8, 4 / groups, 3, 3), d.activationType(), d.weightLayout());
      Tensor dx = activations(d, a, 2, 4, 6, 6);
      Tensor dw = a.allocate(w.shape(), d.activationType(), d.weightLayout());
      d.upload(whole(x), x);
      d.upload(whole(w), w);
      d.convolutions().forward(spec, x, w, epilogue, y, false).launch();
      float[] forward = d.downloadFloats(y);
      d.upload(whole(y), y);
      d.convolutions().backwardData(spec, y, w, dx).launch();
      d.convolutions().backwardWeights(spec, x, y, dw).launch();
      return List.of(forward, d.downloadFloats(dx), d.downloadFloats(dw));
    }
  }

  private static Tensor activations(Device d, Arena a, long... dims) {
    return a.allocate(Shape.of(dims), d.activationType(), d.activationLayout());
  }

  private static float[] whole(Tensor t) {
    float[] out = new float[Math.toIntExact(t.elements())];
    for (int i = 0; i < out.length; i++) {
      out[i] = i % 3 - 1;
    }
    return out;
  }

  private static List<float[]> expected(int groups) {
    try (Device d = TestCuda.open()) {
      return convolve(d, groups, Epilogue.NONE);
    }
  }

  private static void same(List<float[]> expected, List<float[]> got, String what) {
    for (int i = 0; i < 3; i++) {
      assertArrayEquals(expected.get(i), got.get(i), 0f, what + ", " + DIRECTIONS.get(i));
    }
  }

  /**
   * cudnnGetConvolution...Algorithm_v7 may refuse, without writing a count, what cuDNN can do: the
   * workspace sizes tell.
   */
  @ParameterizedTest
  @EnumSource(Precision.class)
  void aRefusedRecommendationIsNoVerdict(Precision precision) {
    List<float[]> expected = expected(1);
    for (String direction : DIRECTIONS) {
      String api = "cudnnGetConvolution" + direction + "Algorithm_v7";
      EmulatedCuda.fail(api, -1);
      try (Device d = TestCuda.open(precision)) {
        same(expected, convolve(d, 1, Epilogue.NONE), precision + ", " + api);
        assertEquals(Map.of(), d.fallbacks());
        assertTrue(EmulatedCuda.count(api) > 0, "was asked");
      }
      ampere();
    }
  }

  /** Nor may an error that is no refusal be taken for one. */
  @Test
  void aRealFailureStaysOne() {
    EmulatedCuda.fail("cudnnGetConvolutionForwardAlgorithm_v7", -1);
    try (Device d = TestCuda.open(Precision.FP16)) {
      EmulatedCuda.failForGood("cudnnGetConvolutionForwardWorkspaceSize", 1);
      SecateurException e =
          assertThrows(SecateurException.class, () -> convolve(d, 1, Epilogue.NONE));
      assertTrue(e.getMessage().contains("CUDNN_STATUS"), e.getMessage());
      ampere();
    }
  }

  /** On a Turing GPU there is no bfloat16; in single precision N, H, W, C lacks a gradient. */
  @ParameterizedTest
  @CsvSource({"BF16, 75, 1, 3", "BF16, 75, 4, 3", "TF32, 80, 4, 1", "TF32, 75, 4, 1"})
  void whatTheGpuCannotIsComputedInSinglePrecision(
      Precision precision, int capability, int groups, int kinds) {
    List<float[]> expected = expected(groups);
    EmulatedCuda.capability(capability);
    try (Device d = TestCuda.open(precision)) {
      same(expected, convolve(d, groups, Epilogue.NONE), precision + " on sm_" + capability);
      assertEquals(kinds, d.fallbacks().size(), d.fallbacks().toString());
      for (String kind : d.fallbacks().keySet()) {
        assertTrue(kind.contains(precision + ": computed in FP32"), kind);
      }
    }
  }

  /** The algorithm goes with the math type that it was measured with, now and from the cache. */
  @ParameterizedTest
  @CsvSource({"FP32, 3", "TF32, 0", "FP16, 1", "BF16, 0"})
  void aChoiceKeepsItsMathType(Precision precision, int math, @TempDir Path folder)
      throws IOException {
    String usual = System.getProperty("secateur.cuda.cache");
    System.setProperty("secateur.cuda.cache", folder.toString());
    try {
      List<float[]> expected = expected(1);
      for (int i = 0; i < 2; i++) {
        try (Device d = TestCuda.open(precision)) {
          same(expected, convolve(d, 1, Epilogue.NONE), precision + "");
          assertEquals(Map.of(), d.fallbacks());
        }
      }
      Set<String> kept = new TreeSet<>();
      try (Stream<Path> files = Files.list(folder)) {
        for (String line : Files.readAllLines(files.findFirst().orElseThrow())) {
          if (line.contains("type=" + (precision == Precision.FP32 ? "F32 layout=PLAIN" : ""))) {
            kept.add(line.substring(line.length() - 1));
          }
        }
      }
      assertTrue(kept.contains(Integer.toString(math)), kept.toString());
    } finally {
      System.setProperty("secateur.cuda.cache", usual);
    }
  }

  private static Epilogue relu(Device d, Arena a) {
    Tensor bias = a.allocate(Shape.of(8), d.activationType(), dev.secateur.tensor.Layout.PLAIN);
    d.upload(whole(bias), bias);
    return new Epilogue(Optional.of(bias), Optional.empty(), Activation.RELU);
  }

  /** A fused call that keeps NaN, then one that does not, then none. */
  @Test
  void fusionGoesAsFarAsCudnnDoes() {
    System.setProperty(GRAPHS, "never");
    String api = "cudnnConvolutionBiasActivationForward";
    float[] expected;
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      expected = convolve(d, 1, relu(d, a)).get(0);
      assertEquals(Map.of(), d.fallbacks());
      assertEquals(1, EmulatedCuda.count(api));
    }
    ampere();
    try (Device d = TestCuda.open(Precision.FP16);
        Arena a = d.newArena()) {
      assertArrayEquals(expected, convolve(d, 1, relu(d, a)).get(0));
      assertEquals(2, EmulatedCuda.count(api), "the second call was taken");
      assertEquals(1, d.fallbacks().size());
      assertTrue(d.fallbacks().keySet().iterator().next().contains("NaN"));
    }
    ampere();
    EmulatedCuda.fail(api, -1);
    try (Device d = TestCuda.open(Precision.FP16);
        Arena a = d.newArena()) {
      assertArrayEquals(expected, convolve(d, 1, relu(d, a)).get(0));
      assertEquals(2, EmulatedCuda.count(api));
      assertTrue(d.fallbacks().keySet().iterator().next().contains("apart"));
    }
  }
}
