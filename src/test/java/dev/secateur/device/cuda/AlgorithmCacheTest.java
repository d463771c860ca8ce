package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.CacheFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Convolutions are measured once for each kind of GPU. */
class AlgorithmCacheTest {
  private static final String FILE = "Emulated-CUDA-device-sm80.txt";
  @TempDir Path folder;
  private String usual;

  @BeforeEach
  void emulated() {
    assumeTrue(TestCuda.emulated());
    TestCuda.open().close();
    EmulatedCuda.reset();
    usual = System.getProperty("secateur.cuda.cache");
    System.setProperty("secateur.cuda.cache", folder.toString());
  }

  @AfterEach
  void restore() {
    if (TestCuda.emulated()) {
      System.setProperty("secateur.cuda.cache", usual);
      EmulatedCuda.reset();
    }
  }

  /** Searches by measurement that two equal convolutions in all three passes take. */
  private static long searches() {
    long before = found();
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      convolve(d, a, 8);
      convolve(d, a, 8);
    }
    return found() - before;
  }

  private static float[] convolve(Device d, Arena a, int channels) {
    ConvolutionSpec spec = ConvolutionSpec.of(1, 1);
    Tensor x = a.floats(2, 3, 8, 8);
    Tensor w = a.floats(channels, 3, 3, 3);
    Tensor y = a.floats(2, channels, 8, 8);
    d.moves().fill(x, 0.5).launch();
    d.moves().fill(w, 2).launch();
    d.moves().fill(y, 7).launch();
    d.convolutions().backwardData(spec, y, w, x);
    d.convolutions().backwardWeights(spec, x, y, w);
    var kernel = d.convolutions().forward(spec, x, w, Epilogue.NONE, y, false);
    assertEquals(7, d.downloadFloats(y)[0], "measuring leaves tensors alone");
    assertEquals(2, d.downloadFloats(w)[0], "measuring leaves tensors alone");
    kernel.launch();
    return d.downloadFloats(y);
  }

  private static long found() {
    return EmulatedCuda.count("cudnnFindConvolutionForwardAlgorithmEx")
        + EmulatedCuda.count("cudnnFindConvolutionBackwardDataAlgorithmEx")
        + EmulatedCuda.count("cudnnFindConvolutionBackwardFilterAlgorithmEx");
  }

  private List<String> lines() throws IOException {
    return Files.readAllLines(folder.resolve(FILE)).stream().filter(l -> !l.isEmpty()).toList();
  }

  @Test
  void aSecondOpeningMeasuresNothing() throws IOException {
    assertEquals(3, searches());
    List<String> first = lines();
    assertEquals(3, first.size());
    for (String part :
        List.of(
            "FORWARD x=",
            "type=F32",
            "layout=PLAIN",
            "stride=1,1",
            "pad=1,1",
            "cudnn=9",
            "driver=12.6",
            "limit=268435456",
            "math=")) {
      assertTrue(first.stream().anyMatch(l -> l.contains(part)), part + " in " + first);
    }
    assertEquals(0, searches());
    assertEquals(first, lines());
  }

  @Test
  void whatTheFileSaysIsUsed() throws IOException {
    float[] measured;
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      measured = convolve(d, a, 8);
    }
    List<String> other = new ArrayList<>();
    for (String l : lines()) {
      other.add(l.startsWith("FORWARD") ? l.substring(0, l.length() - 3) + "0:3" : l);
    }
    assertTrue(!other.equals(lines()), "the emulation's fastest is not number 0");
    Files.write(folder.resolve(FILE), other);
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      // IMPLICIT_GEMM takes no workspace, so none is given
      assertArrayEquals(measured, convolve(d, a, 8), 1e-4f);
    }
    assertEquals(other, lines());
  }

  @Test
  void anotherShapeAndAnotherGpuAreMeasuredForThemselves() throws IOException {
    assertEquals(3, searches());
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      convolve(d, a, 16);
    }
    assertEquals(6, lines().size());
    EmulatedCuda.name("GPU of /another\\ kind");
    assertEquals(3, searches());
    assertEquals(6, lines().size());
    assertTrue(Files.exists(folder.resolve("GPU-of-another-kind-sm80.txt")));
    assertEquals(0, searches());
  }

  @Test
  void aCorruptFileIsToleratedAndGoesOnToServe() throws IOException {
    byte[] noise = new byte[5000];
    new java.util.Random(1).nextBytes(noise);
    Files.write(folder.resolve(FILE), noise);
    assertEquals(3, searches());
    assertEquals(0, searches());
    String text =
        Files.readString(folder.resolve(FILE), java.nio.charset.StandardCharsets.ISO_8859_1);
    // a killed process left half a line: the last choice is measured anew, the others serve
    Files.writeString(
        folder.resolve(FILE),
        text.substring(0, text.length() - 3),
        java.nio.charset.StandardCharsets.ISO_8859_1);
    assertEquals(1, searches());
    assertEquals(0, searches());
  }

  @Test
  void anAlgorithmThatCannotServeIsNotUsed() throws IOException {
    searches();
    List<String> strange =
        lines().stream().map(l -> l.substring(0, l.length() - 3) + "9:3").toList();
    Files.write(folder.resolve(FILE), strange);
    assertEquals(6, searches());
  }

  @Test
  void aFolderThatCannotBeWrittenIsNoFailure() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    System.setProperty("secateur.cuda.cache", file.resolve("below").toString());
    assertEquals(3, searches());
    Files.createDirectories(folder.resolve(FILE)); // a folder in the file's place
    System.setProperty("secateur.cuda.cache", folder.toString());
    assertEquals(3, searches());
  }

  @Test
  void whereMeasuringFailsHeuristicsDecide() {
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      convolve(d, a, 8);
      EmulatedCuda.fail("cudnnFindConvolutionForwardAlgorithmEx", 1);
      convolve(d, a, 4);
    }
    long before = found();
    try (Device d = TestCuda.open();
        Arena a = d.newArena()) {
      convolve(d, a, 4);
    }
    assertEquals(before + 1, found(), "what heuristics chose is not kept");
  }

  @Test
  void heuristicsOnRequestMeasureAndKeepNothing() throws IOException {
    System.setProperty("secateur.cuda.search", "heuristic");
    try {
      assertEquals(0, searches());
      System.setProperty("secateur.cuda.search", "guess");
      SecateurException e = assertThrows(SecateurException.class, TestCuda::open);
      assertTrue(e.getMessage().contains("expected measure or heuristic"), e.getMessage());
    } finally {
      System.clearProperty("secateur.cuda.search");
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(0, files.count());
    }
  }

  private static AlgorithmCache.Entry entry(int algorithm) {
    return new AlgorithmCache.Entry(algorithm, 3);
  }

  @Test
  void theFirstChoiceCountsWhereTwoProcessesWroteOne() {
    AlgorithmCache one = AlgorithmCache.in(folder, "gpu");
    AlgorithmCache two = AlgorithmCache.in(folder, "gpu");
    assertEquals(entry(1), one.put("a convolution", entry(1)));
    assertEquals(entry(1), two.put("a convolution", entry(2)));
    two.put("another", entry(3));
    one.put("a third", entry(4));
    assertEquals(Optional.of(entry(1)), one.get("a convolution"));
    AlgorithmCache later = AlgorithmCache.in(folder, "gpu");
    assertEquals(Optional.of(entry(1)), later.get("a convolution"));
    assertEquals(Optional.of(entry(3)), later.get("another"));
    assertEquals(Optional.of(entry(4)), later.get("a third"));
    later.put("another", entry(5));
    assertEquals(Optional.of(entry(3)), AlgorithmCache.in(folder, "gpu").get("another"));
  }

  @Test
  void aFileThatGrewTooLargeLosesItsOlderHalf() throws IOException {
    List<String> many = new ArrayList<>();
    String padding = "x".repeat(1000);
    for (int i = 0; i < 5000; i++) {
      many.add(padding + i + "\t1:3");
    }
    Path file = Files.write(folder.resolve("gpu.txt"), many);
    assertEquals(Optional.of(entry(1)), AlgorithmCache.in(folder, "gpu").get(padding + 4999));
    AlgorithmCache later = AlgorithmCache.in(folder, "gpu");
    assertEquals(Optional.empty(), later.get(padding + 0));
    assertEquals(Optional.of(entry(1)), later.get(padding + 4999));
    assertTrue(Files.size(file) < 3 << 20);
  }

  @Test
  void itLiesInTheUsersCacheFolder() {
    Map<String, String> home = Map.of("HOME", "/home/a", "XDG_CACHE_HOME", "");
    assertEquals(Path.of("/home/a/.cache/secateur"), CacheFolder.of(home));
    assertEquals(Path.of("/x/secateur"), CacheFolder.of(Map.of("XDG_CACHE_HOME", "/x")));
  }
}
