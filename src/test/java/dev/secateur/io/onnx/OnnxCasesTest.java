package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import dev.secateur.io.Models;
import dev.secateur.nn.Imitation;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Files of the kinds that people bring are read, pruned and written, and ONNX Runtime finds every
 * output as it has to be.
 */
class OnnxCasesTest {
  private static final Path CASES = Path.of("..", "shared", "cases", "onnx");

  @TempDir Path dir;

  static Stream<Path> cases() throws IOException {
    return Files.isDirectory(CASES) ? OnnxCases.files(CASES).stream() : Stream.of(CASES);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void reportedKindsArePrunedExactly(Path file) throws IOException, OrtException {
    Assumptions.assumeTrue(Files.isRegularFile(file), file + " is absent: skipped");
    OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
    check(o);
  }

  private static void check(OnnxCases.Outcome o) {
    assertTrue(o.refused().isEmpty(), o.toString());
    assertTrue(o.exported() <= 1e-5, o.toString());
    o.pruned().values().forEach(p -> assertTrue(p.difference() <= 1e-5, o.toString()));
    assertTrue(o.pruned().values().stream().allMatch(p -> p.parameters() < 1), o.toString());
  }

  private OnnxCases.Outcome of(Proto p, String... outputs) throws IOException, OrtException {
    return OnnxCases.of(p.write(dir.resolve("net.onnx"), outputs), 0.2, 0.5);
  }

  private static String convolution(Proto p, String x, long from, long to) {
    return p.node("Relu", p.node("Conv", x, p.weight(to, from, 3, 3), p.weight(to), "pads=", PADS));
  }

  private static final int[] PADS = {1, 1, 1, 1};

  /** Boxes and classes of two sizes, decoded and joined: nothing of that is a layer here. */
  @Test
  void aDetectorWithItsDecodingIsCarried() throws IOException, OrtException {
    Path file = Fixtures.detector(dir.resolve("net.onnx"));
    OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
    check(o);
    assertTrue(o.carried().contains("1 Exp"), o.toString());
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    assertTrue(Imitation.only(m.graph()), m.graph().output().toString());
  }

  /** A batch that the graph reshapes by its own extents stays any. */
  @Test
  void extentsThatAreReadInThePartThatIsCarriedStayThose() throws IOException, OrtException {
    Proto p = new Proto(17, 3, 8, 8);
    String c = convolution(p, convolution(p, "x", 3, 8), 8, 4);
    String shape = p.node("Shape", c);
    String images = p.node("Slice", shape, p.longs(0), p.longs(1));
    String to = p.node("Concat", images, p.longs(-1, 4), "axis=", 0);
    String rows = p.node("Reshape", c, to);
    OnnxCases.Outcome o = of(p, p.node("ReduceMax", rows, "axes=", new int[] {1}));
    check(o);
    assertTrue(o.carried().contains("1 Shape"), o.toString());
  }

  /** Two images of a size are one input of the network, and two of the file. */
  @Test
  void twoImages() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String second = p.image("y", 1, 8, 8);
    String a = convolution(p, convolution(p, "x", 3, 8), 8, 6);
    String b = convolution(p, second, 1, 6);
    OnnxCases.Outcome o = of(p, convolution(p, p.node("Add", a, b), 6, 4));
    check(o);
    assertEquals("", o.carried());
  }

  /** A number for each image that meets the layers late is carried along with what it meets. */
  @Test
  void anInputThatIsNoImage() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String time = p.image("t", 5);
    String a = convolution(p, convolution(p, "x", 3, 8), 8, 6);
    String pooled = p.node("Flatten", p.node("GlobalAveragePool", a));
    String joined = p.node("Concat", pooled, time, "axis=", 1);
    OnnxCases.Outcome o = of(p, p.node("Gemm", joined, p.weight(11, 3), p.weight(3)));
    check(o);
    assertEquals("1 Concat, 1 Gemm", o.carried());
  }

  @Test
  void everyOpsetIsReadAndWritten() throws IOException, OrtException {
    for (int opset = 7; opset <= 21; opset++) { // what ONNX Runtime here knows
      Proto p = new Proto(opset, 3, 8, 8);
      String a = convolution(p, "x", 3, 8);
      String b = p.node("LeakyRelu", p.node("Conv", a, p.weight(8, 8, 1, 1)), "alpha=", 0.2f);
      String sum = p.node("Add", a, b);
      String up = p.node("GlobalAveragePool", sum);
      check(of(p, p.node("Gemm", p.node("Flatten", up), p.weight(8, 5), p.weight(5))));
    }
  }

  @Test
  void pixelShuffleInEveryForm() throws IOException, OrtException {
    for (String mode : List.of("DCR", "CRD")) {
      Proto p = new Proto(13, 3, 8, 8);
      String up =
          p.node("DepthToSpace", convolution(p, "x", 3, 16), "blocksize=", 2, "mode=", mode);
      String down = p.node("SpaceToDepth", convolution(p, up, 4, 8), "blocksize=", 2);
      OnnxCases.Outcome o = of(p, convolution(p, down, 32, 4));
      check(o);
      assertEquals("", o.carried());
    }
    Proto p = new Proto(13, 3, 8, 8);
    String six = p.node("Reshape", convolution(p, "x", 3, 16), p.longs(0, 4, 2, 2, 8, 8));
    String turned = p.node("Transpose", six, "perm=", new int[] {0, 1, 4, 2, 5, 3});
    String up = p.node("Reshape", turned, p.longs(0, 4, 16, 16));
    OnnxCases.Outcome o = of(p, convolution(p, convolution(p, up, 4, 8), 8, 4));
    check(o);
    assertEquals("", o.carried());
  }

  @Test
  void normsOverNeighboursAndGatesOfOneChannel() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 8, 8);
    String n = p.node("LRN", convolution(p, "x", 3, 9), "size=", 5, "alpha=", 0.3f, "bias=", 2f);
    String c = convolution(p, convolution(p, n, 9, 8), 8, 6);
    String mean = p.node("ReduceMean", c, "axes=", new int[] {1});
    String gate = p.node("Sigmoid", p.node("Conv", mean, p.weight(1, 1, 3, 3), "pads=", PADS));
    OnnxCases.Outcome o = of(p, convolution(p, p.node("Mul", c, gate), 6, 4));
    check(o);
    assertEquals("", o.carried());
  }
}
