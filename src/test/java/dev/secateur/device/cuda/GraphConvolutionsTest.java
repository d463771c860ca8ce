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
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Convolutions by cuDNN's graph API are taken where they are faster, and missed nowhere else. */
class GraphConvolutionsTest {
  private static final String USE = "secateur.cuda.cudnn-graphs";
  private static final String EXECUTE = "cudnnBackendExecute";
  private static final Optional<ElementwiseSpec> SILU =
      Optional.of(ElementwiseSpec.of(ElementwiseSpec.Kind.SILU));
  private static final Optional<ElementwiseSpec> HARD_SWISH =
      Optional.of(ElementwiseSpec.of(ElementwiseSpec.Kind.HARD_SWISH));

  private String live;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    System.setProperty(USE, "measure");
    reset();
    live = EmulatedCuda.live();
  }

  private static void reset() {
    EmulatedCuda.reset();
    EmulatedCuda.capability(80);
  }

  @AfterEach
  void nothingIsLeft() {
    System.clearProperty(USE);
    if (TestCuda.emulated()) {
      assertEquals(live, EmulatedCuda.live());
      EmulatedCuda.reset();
    }
  }

  /** A convolution of 16 to 24 channels, and its operands. */
  private record Case(Kernel kernel, Tensor y) {
    static Case of(
        Device d,
        Arena a,
        int groups,
        boolean residual,
        Activation activation,
        Optional<ElementwiseSpec> function) {
      Tensor x = noise(d, activations(d, a, 2, 16, 7, 5), 1);
      Shape filters = Shape.of(24, 16 / groups, 3, 3);
      Tensor w = noise(d, a.allocate(filters, d.activationType(), d.weightLayout()), 8);
      Tensor b = noise(d, a.allocate(Shape.of(24), d.activationType(), Layout.PLAIN), 1);
      Tensor y = activations(d, a, 2, 24, 7, 5);
      Optional<Tensor> r =
          residual ? Optional.of(noise(d, activations(d, a, 2, 24, 7, 5), 1)) : Optional.empty();
      Epilogue e = new Epilogue(Optional.of(b), r, activation, function);
      ConvolutionSpec spec = new ConvolutionSpec(1, 1, 1, 1, 1, 1, 1, 1, groups);
      return new Case(d.convolutions().forward(spec, x, w, e, y, true), y);
    }

    static Case silu(Device d, Arena a) {
      return of(d, a, 1, true, Activation.NONE, SILU);
    }

    float[] run(Device d) {
      kernel.launch();
      return d.downloadFloats(y);
    }
  }

  private static Tensor activations(Device d, Arena a, long... dims) {
    return a.allocate(Shape.of(dims), d.activationType(), d.activationLayout());
  }

  private static Tensor noise(Device d, Tensor t, int divisor) {
    float[] v = new float[Math.toIntExact(t.elements())];
    for (int i = 0; i < v.length; i++) {
      v[i] = (i * 2654435761L % 64 / 16f - 2) / divisor;
    }
    d.upload(v, t);
    return t;
  }

  private static long launches() {
    return EmulatedCuda.count(EXECUTE)
        + EmulatedCuda.count("cuLaunchKernel")
        + EmulatedCuda.count("cudnnConvolutionForward")
        + EmulatedCuda.count("cudnnConvolutionBiasActivationForward");
  }

  private static float[] older(Precision precision, Activation a, Optional<ElementwiseSpec> f) {
    System.setProperty(USE, "never");
    try (Device d = TestCuda.open(precision);
        Arena arena = d.newArena()) {
      float[] y = Case.of(d, arena, 1, true, a, f).run(d);
      assertEquals(0, EmulatedCuda.count("cudnnBackendCreateDescriptor"));
      return y;
    } finally {
      System.setProperty(USE, "measure");
    }
  }

  /** A plan may have to be compiled: without being asked, only where the older call fuses less. */
  @Test
  void byDefaultPlansAreForFunctionsAlone() {
    System.clearProperty(USE);
    try (Device d = TestCuda.open(Precision.FP16);
        Arena a = d.newArena()) {
      Case.of(d, a, 1, true, Activation.RELU, Optional.empty()).run(d);
      assertEquals(0, EmulatedCuda.count("cudnnBackendCreateDescriptor"));
      Case.of(d, a, 1, true, Activation.NONE, SILU).run(d);
      assertTrue(EmulatedCuda.count("cudnnBackendCreateDescriptor") > 0);
    }
  }

  /** What tensor cores take is one launch with anything behind it, and nothing is made for it. */
  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FP16", "BF16"})
  void whatIsBehindAConvolutionNeedsNoLaunchOfItsOwn(Precision precision) {
    for (Optional<ElementwiseSpec> f : List.of(SILU, HARD_SWISH)) {
      float[] expected = older(precision, Activation.NONE, f);
      reset();
      try (Device d = TestCuda.open(precision);
          Arena a = d.newArena()) {
        Case c = Case.of(d, a, 1, true, Activation.NONE, f);
        near(expected, c.run(d), precision);
        reset();
        near(expected, c.run(d), precision);
        assertEquals(1, launches());
        assertEquals(1, EmulatedCuda.count(EXECUTE));
        assertEquals(0, EmulatedCuda.count("cudnnBackendCreateDescriptor"));
        assertEquals(Map.of(), d.fallbacks());
      }
    }
  }

  private static void near(float[] expected, float[] got, Precision precision) {
    float ulp =
        switch (precision) {
          case FP32 -> 1e-6f;
          case TF32 -> 1e-5f; // both factors are cut alike
          case FP16 -> 0x1p-10f;
          case BF16 -> 0x1p-7f;
        };
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], got[i], ulp * Math.max(2, 2 * Math.abs(expected[i])));
    }
  }

  /** Where one older call does it all, that stays. */
  @Test
  void aTieGoesToTheOlderCall() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Case c = Case.of(d, a, 1, true, Activation.RELU, Optional.empty());
      reset();
      c.run(d);
      assertEquals(1, EmulatedCuda.count("cudnnConvolutionBiasActivationForward"));
      assertEquals(1, launches());
    }
  }

  /** Forced, single precision goes by an engine without tensor cores. */
  @ParameterizedTest
  @EnumSource(Precision.class)
  void plansCanBeForced(Precision precision) {
    float[] expected = older(precision, Activation.RELU, Optional.empty());
    System.setProperty(USE, "always");
    reset();
    try (Device d = TestCuda.open(precision);
        Arena a = d.newArena()) {
      near(expected, Case.of(d, a, 1, true, Activation.RELU, Optional.empty()).run(d), precision);
      assertEquals(1, EmulatedCuda.count(EXECUTE));
      assertEquals(1, launches());
    }
  }

  @Test
  void anotherUseIsRefused() {
    System.setProperty(USE, "sometimes");
    SecateurException e = assertThrows(SecateurException.class, TestCuda::open);
    assertEquals(
        "-Dsecateur.cuda.cudnn-graphs=sometimes; expected functions, measure, always or never",
        e.getMessage());
  }

  /** The older calls go on from any stage that is refused, now or when it is executed. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cudnnBackendCreateDescriptor",
        "cudnnBackendSetAttribute",
        "cudnnBackendGetAttribute",
        "cudnnBackendFinalize",
        "cudnnBackend tensor",
        "cudnnBackend convolution",
        "cudnnBackend pointwise",
        "cudnnBackend operation",
        "cudnnBackend graph",
        "cudnnBackend heuristics",
        "cudnnBackend plan",
        "cudnnBackend pack",
        "cudnnBackend execute",
        "cudnnBackendExecute"
      })
  void aRefusalLeavesTheOlderCalls(String stage) {
    float[] expected = older(Precision.FP16, Activation.NONE, SILU);
    for (String use : List.of("measure", "always")) {
      System.setProperty(USE, use);
      reset();
      EmulatedCuda.fail(stage, -1);
      try (Device d = TestCuda.open(Precision.FP16);
          Arena a = d.newArena()) {
        Case c = Case.silu(d, a);
        for (int i = 0; i < 3; i++) {
          assertArrayEquals(expected, c.run(d), use);
        }
        assertTrue(EmulatedCuda.count(stage) > 0, "was asked");
        long told =
            d.fallbacks().keySet().stream().filter(k -> k.contains("graph API does not")).count();
        assertEquals(1, told, d.fallbacks().toString());
      }
    }
  }

  /** cuDNN's documentation: one group, channels in 16 bytes, tensor cores for the type. */
  @ParameterizedTest
  @CsvSource({"FP16, 80, 16", "BF16, 75, 1", "TF32, 75, 1", "FP32, 80, 1"})
  void whatNoEngineDoesIsCounted(Precision precision, int capability, int groups) {
    EmulatedCuda.capability(capability);
    float[] expected;
    System.setProperty(USE, "never");
    try (Device d = TestCuda.open(precision);
        Arena a = d.newArena()) {
      expected = Case.of(d, a, Math.min(groups, 8), true, Activation.NONE, SILU).run(d);
    }
    System.setProperty(USE, "measure");
    try (Device d = TestCuda.open(precision);
        Arena a = d.newArena()) {
      assertArrayEquals(
          expected, Case.of(d, a, Math.min(groups, 8), true, Activation.NONE, SILU).run(d));
      String kind =
          d.fallbacks().keySet().stream().filter(k -> k.contains("graph API")).findFirst().get();
      assertTrue(kind.contains(precision + " with SILU behind it"), kind);
      assertTrue(kind.contains("NOT_SUPPORTED"), kind);
    }
  }

  /** Measured once; the cache then names the plan, or that there is none. */
  @Test
  void aChoiceIsKept(@TempDir Path folder) {
    String usual = System.getProperty("secateur.cuda.cache", "none");
    System.setProperty("secateur.cuda.cache", folder.toString());
    try {
      for (int i = 0; i < 2; i++) {
        for (boolean fused : new boolean[] {true, false}) {
          reset();
          try (Device d = TestCuda.open(Precision.FP16);
              Arena a = d.newArena()) {
            Case c =
                fused
                    ? Case.silu(d, a)
                    : Case.of(d, a, 1, false, Activation.RELU, Optional.empty());
            long measured = EmulatedCuda.count(EXECUTE);
            assertEquals(i == 0, measured > 0, "measured");
            c.run(d);
            assertEquals(fused ? 1 : 0, EmulatedCuda.count(EXECUTE) - measured);
          }
        }
      }
    } finally {
      System.setProperty("secateur.cuda.cache", usual);
    }
  }

  /** In a graph of CUDA, where scratch memory was replaced too. */
  @Test
  void aPlanFollowsItsScratchMemory() {
    float[] expected = older(Precision.FP16, Activation.NONE, SILU);
    try (Device d = TestCuda.open(Precision.FP16);
        Arena a = d.newArena()) {
      Case c = Case.silu(d, a);
      Kernel k = d.sequence(List.of(c.kernel()), a);
      for (int i = 0; i < 6; i++) {
        if (i == 3) {
          Tensor wide = activations(d, a, 1, 2, 1024, 1024);
          Tensor one = a.allocate(Shape.of(2, 2, 3, 3), d.activationType(), d.weightLayout());
          ConvolutionSpec lopsided = new ConvolutionSpec(1, 1, 2, 2, 0, 0, 1, 1, 1);
          d.convolutions()
              .forward(
                  lopsided, wide, one, Epilogue.NONE, activations(d, a, 1, 2, 1024, 1024), true)
              .launch();
        }
        d.moves().fill(c.y(), 7).launch();
        k.launch();
        near(expected, d.downloadFloats(c.y()), Precision.FP16);
      }
    }
  }
}
