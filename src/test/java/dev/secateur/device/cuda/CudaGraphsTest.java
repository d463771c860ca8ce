package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A sequence of kernels as a CUDA graph: its results, its launches, its life. */
class CudaGraphsTest {
  private static final int BATCH = 4;
  private static final int STEPS = 5;
  private final List<String> warnings = new ArrayList<>();
  private final Logger logger = Logger.getLogger(CudaGraphs.class.getName());
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          warnings.add(new SimpleFormatter().formatMessage(record));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };
  private String before;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
    before = EmulatedCuda.live();
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
  }

  @AfterEach
  void nothingIsLeft() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
    if (TestCuda.emulated()) {
      EmulatedCuda.reset();
      assertEquals(before, EmulatedCuda.live(), "leaks");
    }
  }

  /** Those that this test made. */
  private Stream<String> graphs() {
    return EmulatedCuda.live().lines().filter(l -> l.contains("graph") && !before.contains(l));
  }

  private static Model model() {
    return Architectures.create("resnet20", 10, 3, 32, 7);
  }

  private static Device open(boolean graphs) {
    System.setProperty("secateur.cuda.graphs", Boolean.toString(graphs));
    try {
      return TestCuda.open();
    } finally {
      System.clearProperty("secateur.cuda.graphs");
    }
  }

  /** Random pixels and labels for each step, through staging memory as training uploads them. */
  private static void feed(
      Device d, HostBuffer pixels, Tensor to, Optional<Tensor> labels, int step) {
    Random random = new Random(step);
    byte[] image = new byte[(int) to.elements()];
    random.nextBytes(image);
    pixels.awaitRead();
    pixels.bytes().put(0, image);
    d.upload(pixels, to);
    labels.ifPresent(l -> d.upload(random.ints(BATCH, 0, 10).toArray(), l));
  }

  /** Parameters, logits and metrics after some steps whose learning rate changes. */
  private static float[][] train(boolean graphs) {
    try (Device d = open(graphs);
        Network net = new Network(d, model());
        TrainingProgram p =
            TrainingProgram.compile(net, BATCH, Learning.sgd(0.9f, true, 1e-4f, true, 0), 0);
        HostBuffer pixels = d.hostBuffer(p.pixels().bytes())) {
      EmulatedCuda.reset();
      for (int i = 0; i < STEPS; i++) {
        p.setLearningRate(0.1f / (i + 1));
        feed(d, pixels, p.pixels(), Optional.of(p.labels()), i);
        p.step();
      }
      List<float[]> out = new ArrayList<>();
      out.add(d.downloadFloats(p.metrics()));
      out.add(d.downloadFloats(p.output()));
      net.parameters().values().forEach(t -> out.add(d.downloadFloats(t)));
      return out.toArray(new float[0][]);
    }
  }

  @Test
  void trainingWithGraphsEqualsTrainingWithoutBitForBit() {
    float[][] without = train(false);
    assertEquals(0, EmulatedCuda.count("cuGraphLaunch"));
    float[][] with = train(true);
    assertEquals(STEPS - 1, EmulatedCuda.count("cuGraphLaunch"), "all but the first step");
    assertEquals(0, EmulatedCuda.count("graph memory nodes"));
    for (int i = 0; i < without.length; i++) {
      assertArrayEquals(without[i], with[i]);
    }
    assertTrue(Float.isFinite(without[0][0]) && without.length > 100, "it trains");
    assertEquals(List.of(), warnings);
  }

  @Test
  void aStepIsOneLaunch() {
    try (Device d = TestCuda.open();
        Network net = new Network(d, model());
        TrainingProgram p =
            TrainingProgram.compile(net, BATCH, Learning.sgd(0.9f, true, 1e-4f, true, 0), 0);
        InferenceProgram q = InferenceProgram.compile(net, BATCH, Optional.empty())) {
      for (int i = 0; i < 2; i++) {
        p.step();
        p.backpropagate();
        q.run();
      }
      long[] counts = calls();
      long graphs = EmulatedCuda.count("cuGraphLaunch");
      p.step();
      assertEquals(graphs + 1, EmulatedCuda.count("cuGraphLaunch"));
      p.backpropagate();
      q.run();
      assertEquals(graphs + 3, EmulatedCuda.count("cuGraphLaunch"));
      assertArrayEquals(counts, calls(), "nothing beside the graphs");
      assertEquals(3, EmulatedCuda.count("cuGraphInstantiate"));
    }
  }

  private static long[] calls() {
    return Arrays.stream(
            new String[] {
              "cuLaunchKernel",
              "cuMemsetD8Async",
              "cuMemsetD32Async",
              "cuMemcpyDtoDAsync",
              "cudnnConvolutionForward",
              "cudnnConvolutionBiasActivationForward",
              "cudnnConvolutionBackwardData",
              "cudnnBatchNormalizationForwardTraining",
              "cublasSgemm",
              "cuGraphInstantiate",
              "synchronisations",
              "cuMemAlloc",
              "cuMemAllocAsync"
            })
        .mapToLong(EmulatedCuda::count)
        .toArray();
  }

  @Test
  void inferenceIsCapturedAnewWhenScratchMemoryMoves() {
    float[][] got = new float[2][];
    for (int i = 0; i < 2; i++) {
      try (Device d = open(i == 1);
          Network net = new Network(d, model());
          InferenceProgram p = InferenceProgram.compile(net, BATCH, Optional.empty());
          HostBuffer pixels = d.hostBuffer(p.pixels().bytes());
          Arena arena = d.newArena()) {
        feed(d, pixels, p.pixels(), Optional.empty(), 3);
        p.run();
        p.run();
        long captured = EmulatedCuda.count("cuStreamBeginCapture");
        assertEquals(i, captured);
        float[] first = d.downloadFloats(p.output());
        d.matrices()
            .eigenSymmetric(arena.doubles(1000, 1000), arena.doubles(1000)); // needs much scratch
        d.moves().fill(p.output(), 0).launch();
        p.run();
        got[i] = d.downloadFloats(p.output());
        assertArrayEquals(first, got[i]);
        p.run();
        assertEquals(2 * i, EmulatedCuda.count("cuStreamBeginCapture"), "captured anew, once");
      }
    }
    assertArrayEquals(got[0], got[1]);
  }

  @Test
  void closingTheArenaDestroysTheGraph() {
    try (Device d = TestCuda.open();
        Arena data = d.newArena()) {
      Tensor x = data.doubles(8);
      Arena own = d.newArena();
      Kernel twice = d.sequence(List.of(d.pls().accumulate(x, x), d.pls().accumulate(x, x)), own);
      d.moves().fill(x, 1).launch();
      for (int i = 0; i < 3; i++) {
        twice.launch();
      }
      assertTrue(graphs().anyMatch(l -> l.contains("graph exec")));
      own.close();
      assertEquals(List.of(), graphs().toList());
      assertThrows(IllegalStateException.class, twice::launch);
      assertEquals(64, d.downloadDoubles(x)[0]);
      assertThrows(IllegalStateException.class, () -> d.sequence(List.of(twice), own));
    }
  }

  @Test
  void aGraphNeverTouchesMemoryOfAClosedArena() {
    try (Device d = TestCuda.open();
        Arena own = d.newArena()) {
      Arena data = d.newArena();
      Tensor x = data.floats(8);
      Kernel k = d.sequence(List.of(d.moves().fill(x, 1)), own);
      k.launch();
      k.launch();
      data.close();
      assertThrows(IllegalStateException.class, k::launch);
      assertEquals(1, EmulatedCuda.count("cuGraphLaunch"));
    }
  }

  @Test
  void aClosedArenaIsFoundInTheCaptureAsWell() {
    try (Device d = TestCuda.open();
        Arena own = d.newArena()) {
      Arena data = d.newArena();
      Kernel k =
          d.sequence(
              List.of(d.moves().fill(own.floats(3), 1), d.moves().fill(data.floats(8), 1)), own);
      k.launch();
      data.close();
      assertThrows(IllegalStateException.class, k::launch);
      assertEquals(1, EmulatedCuda.count("cuStreamEndCapture"));
      d.synchronize(); // the stream captures no longer
      assertEquals(List.of(), warnings);
    }
  }

  @Test
  void sequencesNest() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Tensor x = a.doubles(2);
      Kernel inner = d.sequence(List.of(d.pls().accumulate(x, x)), a);
      Kernel outer = d.sequence(List.of(inner, inner), a);
      d.moves().fill(x, 1).launch();
      outer.launch();
      outer.launch();
      outer.launch();
      inner.launch();
      assertEquals(128, d.downloadDoubles(x)[1]);
    }
  }

  /**
   * Whatever fails while a graph is made, the sequence runs once each launch, and one line says.
   */
  @ParameterizedTest
  @CsvSource({
    "cuStreamBeginCapture, 1",
    "cuLaunchKernel, 2",
    "cublasDgemm, 1",
    "cuStreamEndCapture, 1",
    "cuGraphInstantiate, 1"
  })
  void aRefusedCaptureFallsBackAndSaysSoOnce(String api, int nth) {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Tensor x = a.doubles(2, 2);
      Tensor zero = a.doubles(2, 2);
      List<Kernel> kernels =
          List.of(
              d.pls().accumulate(x, x),
              d.matrices().gemm(false, false, 1, zero, zero, 1, x),
              d.pls().multiply(x, x, x));
      Kernel k = d.sequence(kernels, a);
      Kernel other = d.sequence(List.of(d.pls().accumulate(x, x)), a);
      d.moves().fill(x, 1).launch();
      k.launch();
      EmulatedCuda.fail(api, nth);
      k.launch();
      k.launch();
      other.launch();
      other.launch();
      other.launch();
      assertEquals(Math.pow(2, 17), d.downloadDoubles(x)[3]);
      assertEquals(0, EmulatedCuda.count("cuGraphLaunch"));
      assertEquals(1, EmulatedCuda.count("cuStreamBeginCapture"), "asked for once");
      assertEquals(1, warnings.size(), warnings.toString());
      assertTrue(warnings.get(0).startsWith("cuda:0 makes no CUDA graph"), warnings.get(0));
      assertTrue(!warnings.get(0).contains("{"), warnings.get(0));
    }
  }

  @Test
  void aFailedLaunchOfAGraphIsOneClearError() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      Kernel k = d.sequence(List.of(d.moves().fill(a.floats(8), 1)), a);
      k.launch();
      k.launch();
      EmulatedCuda.fail("cuGraphLaunch", 1);
      SecateurException e = assertThrows(SecateurException.class, k::launch);
      assertTrue(e.getMessage().contains("(cuGraphLaunch) failed: CUDA_ERROR_"), e.getMessage());
    }
  }
}
