package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Pool;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.Zeroed;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Operators in the forms that other exporters and newer opsets write, against ONNX Runtime. */
class OnnxOperatorsTest {
  @TempDir Path dir;

  private Model same(Proto p, String output) throws IOException, OrtException {
    Path file = p.write(dir.resolve("net.onnx"), output);
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    long[] shape = m.graph().shape("input").with(0, 2).toArray();
    byte[] pixels = Outputs.pixels(m, 2);
    float[] theirs = Outputs.onnxRuntime(file, pixels, shape, 255, "");
    float[] ours = Outputs.withHead(m, Outputs.ours(m, pixels, 2));
    assertTrue(Outputs.difference(ours, theirs) < 1e-4, "" + Outputs.difference(ours, theirs));
    Path again = dir.resolve("again.onnx");
    Models.exportOnnx(m, again);
    float[] exported = Outputs.onnxRuntime(again, pixels, shape, 255, "");
    double d = Outputs.difference(exported, theirs);
    assertTrue(d < 1e-4, "exported: " + d);
    return m;
  }

  private static List<String> ops(Model m) {
    List<String> out = new ArrayList<>();
    for (Node n : m.graph().nodes()) {
      out.add(
          n.op() instanceof Elementwise e
              ? e.spec().kind().toString()
              : n.op().getClass().getSimpleName());
    }
    return out;
  }

  @Test
  void paddingLikeTheInput() throws IOException, OrtException {
    for (String auto : List.of("SAME_UPPER", "SAME_LOWER", "VALID")) {
      Proto p = new Proto(13, 3, 11, 14);
      String c =
          p.node("Conv", "x", p.weight(4, 3, 4, 3), "auto_pad=", auto, "strides=", ints(2, 3));
      String d =
          p.node("Conv", c, p.weight(4, 2, 2, 2), p.weight(4), "group=", 2, "auto_pad=", auto);
      same(p, p.node("MaxPool", d, "kernel_shape=", ints(2, 2), "auto_pad=", auto));
    }
  }

  @Test
  void bordersOfWhatLiesInside() throws IOException, OrtException {
    for (int opset : new int[] {9, 13}) {
      for (String mode : List.of("reflect", "edge")) {
        Proto p = new Proto(opset, 3, 5, 4);
        int[] pads = ints(0, 0, 3, 1, 0, 0, 2, 3);
        String border =
            opset < 11
                ? p.node("Pad", "x", "mode=", mode, "pads=", pads)
                : p.node("Pad", "x", p.longs(0, 0, 3, 1, 0, 0, 2, 3), "mode=", mode);
        String c = p.node("Conv", border, p.weight(6, 3, 3, 3), p.weight(6));
        String r = p.node("Relu", c);
        String again =
            opset < 11
                ? p.node("Pad", r, "mode=", mode, "pads=", pads)
                : p.node("Pad", r, p.longs(0, 0, 3, 1, 0, 0, 2, 3), "mode=", mode);
        Model m = same(p, p.node("Conv", again, p.weight(4, 6, 3, 3)));
        assertEquals(2, ops(m).stream().filter("Border"::equals).count());
        pruned(m, m.graph().nodes().get(2).name(), 1, 4);
      }
    }
  }

  @Test
  void poolsRoundedUp() throws IOException, OrtException {
    for (int count : new int[] {0, 1}) {
      Proto p = new Proto(13, 3, 14, 11);
      String a =
          p.node(
              "AveragePool",
              "x",
              "kernel_shape=",
              ints(3, 2),
              "strides=",
              ints(2, 2),
              "ceil_mode=",
              1,
              "count_include_pad=",
              0,
              "pads=",
              ints(1, 0, 1, 0));
      String m =
          p.node(
              "MaxPool", a, "kernel_shape=", ints(3, 3), "strides=", ints(2, 2), "ceil_mode=", 1);
      same(
          p,
          p.node(
              "AveragePool",
              m,
              "kernel_shape=",
              ints(3, 3),
              "strides=",
              ints(1, 1),
              "count_include_pad=",
              count,
              "pads=",
              ints(1, 1, 1, 1)));
    }
  }

  @Test
  void dilatedPools() throws IOException, OrtException {
    for (int opset : new int[] {11, 19}) {
      Proto p = new Proto(opset, 3, 15, 14);
      String c = p.node("Conv", "x", p.weight(6, 3, 3, 3), p.weight(6));
      String m =
          p.node(
              "MaxPool",
              c,
              "kernel_shape=",
              ints(3, 2),
              "dilations=",
              ints(2, 3),
              "pads=",
              ints(1, 1, 0, 1),
              "strides=",
              ints(1, 2),
              "ceil_mode=",
              1);
      String d = p.node("Conv", m, p.weight(4, 6, 2, 2));
      String same =
          p.node(
              "MaxPool",
              d,
              "kernel_shape=",
              ints(2, 3),
              "dilations=",
              ints(2, 1),
              "pads=",
              ints(1, 1, 1, 1));
      String last =
          opset < 19
              ? same
              : p.node(
                  "AveragePool",
                  same,
                  "kernel_shape=",
                  ints(2, 2),
                  "dilations=",
                  ints(3, 1),
                  "pads=",
                  ints(1, 0, 1, 1),
                  "count_include_pad=",
                  1);
      Model net = same(p, p.node("GlobalAveragePool", last));
      assertEquals(
          opset < 19 ? 2 : 3,
          net.graph().nodes().stream().filter(OnnxOperatorsTest::dilated).count());
      Models.save(net, dir.resolve("net.sct"));
      assertEquals(net.graph().nodes(), Models.load(dir.resolve("net.sct")).graph().nodes());
      pruned(net, net.graph().nodes().get(1).name(), 0, 3);
    }
    Proto p = new Proto(11, 3, 2, 9);
    int[] window = ints(2, 1);
    String m =
        p.node(
            "MaxPool",
            p.node("Conv", "x", p.weight(4, 3, 1, 1)),
            "kernel_shape=",
            window,
            "dilations=",
            ints(3, 1),
            "pads=",
            ints(1, 0, 1, 0));
    Path file = p.write(dir.resolve("empty.onnx"), m);
    assertTrue(
        assertThrows(
                SecateurException.class,
                () -> Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}))
            .getMessage()
            .contains("has a window all of whose places are padding"));
  }

  private static boolean dilated(Node n) {
    return n.op() instanceof Pool pool && pool.spec().dilated();
  }

  @Test
  void transposedConvolutions() throws IOException, OrtException {
    Proto p = new Proto(11, 3, 5, 6);
    String a =
        p.node(
            "ConvTranspose",
            "x",
            p.weight(3, 4, 3, 2),
            p.weight(4),
            "strides=",
            ints(2, 3),
            "pads=",
            ints(1, 0, 0, 1),
            "output_padding=",
            ints(1, 2));
    String b =
        p.node(
            "ConvTranspose",
            a,
            p.weight(4, 2, 3, 3),
            "group=",
            2,
            "dilations=",
            ints(2, 1),
            "strides=",
            ints(2, 2),
            "output_shape=",
            ints(24, 36),
            "auto_pad=",
            "NOTSET");
    same(p, b);
  }

  @Test
  void channelsLast() throws IOException, OrtException {
    Proto p = new Proto(17, 4, 6, 5);
    String t = p.node("Transpose", "x", "perm=", ints(0, 2, 3, 1));
    String l = p.node("LayerNormalization", t, p.weight(4), p.weight(4), "axis=", -1);
    String m = p.node("Add", p.weight(6), p.node("MatMul", l, p.weight(4, 6)));
    String g = p.node("Mul", m, p.node("Sigmoid", m));
    String s = p.node("Softmax", g, "axis=", 3);
    String c = p.node("Concat", s, g, "axis=", 3);
    String cut = p.node("Slice", c, p.longs(1, 2), p.longs(6, 9), p.longs(1, 3));
    String mean = p.node("ReduceMean", cut, "axes=", ints(1, 2), "keepdims=", 0);
    assertTrue(ops(same(p, mean)).containsAll(List.of("LayerNorm", "SILU", "Softmax")));
  }

  @Test
  void aFlattenOfChannelsLast() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 4, 5);
    String t = p.node("Transpose", "x", "perm=", ints(0, 2, 3, 1));
    String f = p.node("Reshape", t, p.longs(0, -1));
    String y = p.node("Gemm", f, p.weight(60, 7), p.weight(7), "alpha=", 0.5f, "beta=", 2f);
    Model m = same(p, p.node("Add", y, p.weight(1, 7)));
    assertEquals(List.of("Input", "Flatten", "Linear"), ops(m));
  }

  @Test
  void shufflesAndParts() throws IOException, OrtException {
    Proto p = new Proto(18, 6, 5, 5);
    String r = p.node("Reshape", "x", p.longs(0, 2, 3, 5, 5));
    String t = p.node("Transpose", r, "perm=", ints(0, 2, 1, 3, 4));
    String s = p.node("Reshape", t, p.longs(0, 6, 5, 5));
    p.nodes("Split", "split", List.of("a", "b", "c"), s, "axis=", 1, "num_outputs=", 3);
    String g = p.node("Gather", s, p.longs(5, 0), "axis=", 1);
    String back = p.node("Slice", s, p.longs(-1), p.longs(-100), p.longs(1), p.longs(-2));
    Model m = same(p, p.node("Concat", "a", "c", g, back, "axis=", 1));
    assertEquals(4, ops(m).stream().filter("SelectChannels"::equals).count());
  }

  /** ShuffleNet's halves as its authors write them: the batch is part of an axis on the way. */
  @Test
  void halvesOfAShuffleThroughTheBatch() throws IOException, OrtException {
    for (int way = 0; way < 3; way++) {
      Proto p = new Proto(13, 3, 5, 6);
      String c = p.node("Conv", "x", p.weight(8, 3, 1, 1), p.weight(8));
      String r = p.node("Reshape", c, p.longs(-1, 2, 30));
      String t = p.node("Transpose", r, "perm=", ints(1, 0, 2));
      String halves = p.node("Reshape", t, p.longs(2, -1, 4, 5, 6));
      String first = "a";
      String second = "b";
      if (way == 0) {
        first = p.node("Gather", halves, p.scalar(0), "axis=", 0);
        second = p.node("Gather", halves, p.scalar(-1), "axis=", 0);
      } else if (way == 1) {
        first = p.node("Slice", halves, p.longs(0), p.longs(1), p.longs(0));
        first = p.node("Squeeze", first, p.longs(0));
        second = p.node("Slice", halves, p.longs(1), p.longs(2), p.longs(0));
        second = p.node("Squeeze", second, p.longs(0));
      } else {
        p.nodes("Split", "split", List.of("s", "u"), halves, "axis=", 0);
        first = p.node("Squeeze", "s", p.longs(0));
        second = p.node("Squeeze", "u", p.longs(0));
      }
      String d = p.node("Conv", second, p.weight(4, 4, 3, 3), "pads=", ints(1, 1, 1, 1));
      String joined = p.node("Concat", first, d, "axis=", 1);
      Model m = same(p, p.node("Conv", joined, p.weight(3, 8, 1, 1)));
      assertEquals(2, ops(m).stream().filter("SelectChannels"::equals).count());
      Model smaller = pruned(m, m.graph().nodes().get(1).name(), 1, 2, 6);
      assertEquals(5, smaller.graph().shape(m.graph().nodes().get(1).name()).size(1));
    }
  }

  /** Keeps all but some filters; the file then computes what we compute. */
  private Model pruned(Model m, String layer, int... filters) throws IOException, OrtException {
    try (Device device = new CpuDevice()) {
      Model smaller = Surgery.remove(m, new Removal(Map.of(layer, filters)));
      byte[] pixels = Outputs.pixels(m, 2);
      float[] ours = Outputs.ours(device, smaller, pixels, 2);
      Model zeroed = Zeroed.model(m, new Removal(Map.of(layer, filters)));
      assertTrue(Outputs.difference(ours, Outputs.ours(device, zeroed, pixels, 2)) < 1e-4);
      Path file = dir.resolve("pruned.onnx");
      Models.exportOnnx(smaller, file);
      long[] shape = m.graph().shape("input").with(0, 2).toArray();
      float[] theirs = Outputs.onnxRuntime(file, pixels, shape, 255, "");
      assertTrue(Outputs.difference(ours, theirs) < 1e-4);
      return smaller;
    }
  }

  @Test
  void aSlopeForEachChannel() throws IOException, OrtException {
    Proto p = new Proto(16, 3, 6, 5);
    String c = p.node("Conv", "x", p.weight(6, 3, 3, 3), p.weight(6));
    String a = p.node("PRelu", c, p.weight(6, 1, 1));
    String b = p.node("PRelu", p.node("Conv", a, p.weight(4, 6, 1, 1)), p.number(0.3f));
    Model m = same(p, p.node("GlobalAveragePool", b));
    assertTrue(ops(m).contains("LEAKY_RELU"), ops(m).toString());
    Model smaller = pruned(m, m.graph().nodes().get(1).name(), 0, 2, 5);
    HostTensor slope = smaller.parameters().get(a + ".weight");
    float[] before = m.parameters().get(a + ".weight").data();
    assertArrayEquals(new float[] {before[1], before[3], before[4]}, slope.data());
    Proto flat = new Proto(16, 3, 1, 1);
    String g = flat.node("Gemm", flat.node("Flatten", "x"), flat.weight(3, 4));
    same(flat, flat.node("PRelu", g, flat.weight(4)));
  }

  @Test
  void imagesWithChannelsLast() throws IOException, OrtException {
    Proto p = new Proto(13, 17, 18, 3);
    String t = p.node("Transpose", "x", "perm=", ints(0, 3, 1, 2));
    String c = p.node("Conv", t, p.weight(5, 3, 3, 3), p.weight(5));
    String y = p.node("GlobalAveragePool", p.node("Relu", c));
    Path file = p.write(dir.resolve("last.onnx"), y);
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    assertEquals("1x3x17x18", m.graph().shape("input").toString());
    byte[] pixels = Outputs.pixels(m, 2);
    byte[] last = new byte[pixels.length];
    int image = 17 * 18;
    for (int i = 0; i < pixels.length; i++) {
      last[i / (3 * image) * 3 * image + i % image * 3 + i / image % 3] = pixels[i];
    }
    long[] shape = {2, 17, 18, 3};
    float[] theirs = Outputs.onnxRuntime(file, last, shape, 255, "");
    assertTrue(Outputs.difference(Outputs.ours(m, pixels, 2), theirs) < 1e-4);
    Path again = dir.resolve("again.onnx");
    Models.exportOnnx(m, again);
    assertTrue(Outputs.difference(Outputs.onnxRuntime(again, last, shape, 255, ""), theirs) < 1e-4);
    Model back = Models.importOnnx(again, OnnxOptions.DEFAULT, w -> {});
    assertEquals(m.metadata().get(OnnxImport.LAYOUT), back.metadata().get(OnnxImport.LAYOUT));
    assertTrue(Outputs.difference(Outputs.ours(back, pixels, 2), theirs) < 1e-4);
  }

  @Test
  void splitsByTheirNumberAndAxesAsInputs() throws IOException, OrtException {
    for (int opset : new int[] {18, 19, 20, 21}) {
      Proto p = new Proto(opset, 3, 6, 6);
      String c = p.node("Conv", "x", p.weight(5, 3, 3, 3));
      p.nodes("Split", "parts", List.of("left", "right"), c, "axis=", 1, "num_outputs=", 2);
      String l = p.node("ReduceMean", "left", p.longs(-2, -1), "keepdims=", 0);
      String r = p.node("ReduceMax", "right", p.longs(2, 3), "keepdims=", 0);
      String s = p.node("Split", l, p.longs(3), "axis=", -1);
      String y = p.node("Concat", r, s, "axis=", -1);
      Model m = same(p, p.node("Gemm", y, p.weight(4, 5), p.weight(4), "transB=", 1));
      pruned(m, m.graph().nodes().get(1).name(), 1, 4);
    }
  }

  @Test
  void newerOpsets() throws IOException, OrtException {
    Proto p = new Proto(20, 3, 6, 6);
    String pad = p.node("Pad", "x", p.longs(1, 0, 2, 1), "", p.longs(3, 2));
    String c = p.node("Conv", pad, p.weight(4, 3, 3, 3));
    String g = p.node("Gelu", c);
    String r = p.node("ReduceMax", g, p.longs(2, 3), "keepdims=", 1);
    String m =
        p.node(
            "ReduceMean",
            p.node("ReduceMean", g, p.longs(3), "keepdims=", 0),
            p.longs(2),
            "keepdims=",
            0);
    String q = p.node("Squeeze", r, p.longs(2, 3));
    Model net = same(p, p.node("Softmax", p.node("Concat", q, m, "axis=", 1)));
    assertEquals("Softmax", net.metadata().get(OnnxImport.HEAD));
    assertEquals(List.of("Input", "Convolution", "GELU"), ops(net).subList(0, 3));
  }

  @Test
  void resizing() throws IOException, OrtException {
    String[][] modes = {
      {"nearest", "asymmetric", "floor"},
      {"nearest", "half_pixel", "round_prefer_floor"},
      {"linear", "half_pixel", ""},
      {"linear", "align_corners", ""},
      {"linear", "asymmetric", ""},
      {"linear", "pytorch_half_pixel", ""}
    };
    for (String[] mode : modes) {
      for (int opset : new int[] {11, 19}) {
        Proto p = new Proto(opset, 2, 5, 4);
        List<Object> a = new ArrayList<>(List.of("x", p.floats(), p.floats(1, 1, 2, 3)));
        List<String> how = List.of("mode=", mode[0], "coordinate_transformation_mode=", mode[1]);
        a.addAll(how);
        if (!mode[2].isEmpty()) {
          a.addAll(List.of("nearest_mode=", mode[2]));
        }
        String y = p.node("Resize", a.toArray());
        if (mode[0].equals("linear")) {
          a = new ArrayList<>(List.of(y, p.floats(), p.floats(), p.longs(2, 2, 7, 9)));
          a.addAll(how);
          y = p.node("Resize", a.toArray());
        }
        same(p, y);
      }
    }
  }

  @Test
  void functionsWrittenOut() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 4, 4);
    String c = p.node("Conv", "x", p.weight(5, 3, 1, 1));
    String six = p.node("Clip", p.node("Add", c, p.number(3)), p.number(0), p.number(6));
    String swish = p.node("Div", p.node("Mul", c, six), p.number(6));
    String six2 = p.node("Clip", p.node("Add", p.number(3), swish), p.number(0), p.number(6));
    String gate = p.node("Mul", swish, p.node("Mul", six2, p.number(1f / 6)));
    String low = p.node("Max", gate, p.number(-0.1f));
    String leaky = p.node("LeakyRelu", p.node("Neg", p.node("Sub", p.number(1), low)));
    String e = p.node("Erf", p.node("Mul", leaky, p.number(0.70710677f)));
    String half = p.node("Mul", p.node("Add", p.number(1), e), p.number(0.5f));
    String gelu = p.node("Mul", half, leaky);
    String norm =
        p.node(
            "BatchNormalization",
            gelu,
            p.weight(5),
            p.weight(5),
            p.weight(5),
            p.node("Abs", p.weight(5)),
            "epsilon=",
            0.3f);
    Model m =
        same(
            p,
            p.node("Sub", p.node("Pow", norm, p.number(2)), p.node("Elu", norm, "alpha=", 0.5f)));
    List<String> ops = ops(m);
    assertEquals(2, ops.stream().filter("HARD_SWISH"::equals).count(), ops.toString());
    assertTrue(ops.contains("GELU"), ops.toString());
  }

  @Test
  void layerNormOverChannelsWrittenOut() throws IOException, OrtException {
    Proto p = new Proto(13, 6, 3, 4);
    String mean = p.node("ReduceMean", "x", "axes=", ints(1));
    String centred = p.node("Sub", "x", mean);
    String square = p.node("Mul", centred, centred);
    String variance = p.node("ReduceMean", square, "axes=", ints(1), "keepdims=", 1);
    String deviation = p.node("Sqrt", p.node("Add", variance, p.number(1e-3f)));
    String y = p.node("Mul", p.node("Div", centred, deviation), p.weight(6, 1, 1));
    assertEquals(List.of("Input", "LayerNorm"), ops(same(p, p.node("Add", y, p.weight(6, 1, 1)))));
  }

  @Test
  void aBatchInTheShapes() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 4, 4);
    String c = p.node("Conv", "x", p.weight(8, 3, 3, 3));
    String n = p.node("Gather", p.node("Shape", c), p.longs(0), "axis=", 0);
    String rest = p.node("Mul", p.longs(4), p.longs(8));
    String to = p.node("Concat", n, p.node("Cast", rest, "to=", 7), "axis=", 0);
    same(p, p.node("Gemm", p.node("Reshape", c, to), p.weight(32, 4)));
  }

  @Test
  void inputNormalisationInsideGoesIntoTheInput() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 6, 6);
    String n = p.node("Div", p.node("Sub", "x", p.weight(1, 3, 1, 1)), p.number(0.25f));
    Model m = same(p, p.node("Conv", n, p.weight(2, 3, 3, 3)));
    assertEquals(List.of("Input", "Convolution"), ops(m));
  }

  @Test
  void sumsThatSpreadAndGates() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 6, 5);
    String c = p.node("Conv", "x", p.weight(4, 3, 1, 1));
    String g = p.node("GlobalAveragePool", c);
    String a = p.node("Add", p.node("Conv", g, p.weight(4, 4, 1, 1)), c);
    String s = p.node("HardSigmoid", p.node("GlobalMaxPool", a));
    same(p, p.node("Sum", p.node("Mul", s, a), c, a));
  }

  // ---- what is refused, in one line ------------------------------------------------------------

  private String refused(Proto p, OnnxOptions options, String... outputs) throws IOException {
    Path file = p.write(dir.resolve("bad.onnx"), outputs);
    String line =
        assertThrows(SecateurException.class, () -> Models.importOnnx(file, options, w -> {}))
            .getMessage();
    assertEquals(1, line.lines().count(), line);
    assertTrue(line.startsWith(file.toString()), line);
    return line;
  }

  private static void contains(String line, String... parts) {
    for (String part : parts) {
      assertTrue(line.contains(part), line);
    }
  }

  @Test
  void unsupportedNodesAreNamedWithWhatCouldBeDone() throws IOException {
    Proto p = new Proto(13, 3, 8, 8);
    String c = p.node("Conv", "x", p.weight(4, 3, 3, 3));
    contains(
        refused(p, OnnxOptions.DEFAULT, p.node("LSTM", c, p.weight(1, 16, 4), p.weight(1, 16, 4))),
        "lstm4 (LSTM; inputs conv1",
        "recurrent networks are not pruned");
    Proto q = new Proto(13, 3, 8, 8);
    String d = q.node("Conv", "x", q.weight(4, 3, 3, 3));
    contains(
        refused(
            q,
            OnnxOptions.DEFAULT,
            q.node("Pad", d, q.longs(0, 0, 1, 1, 0, 0, 1, 1), "mode=", "wrap")),
        "(Pad; inputs conv1 1x4x6x6, i2 constant 8)",
        "pads by wrap");
  }

  @Test
  void inputsThatAreNoImages() throws IOException {
    Proto p = new Proto(13, 3, 0, 0);
    String y = p.node("Conv", "x", p.weight(4, 3, 3, 3));
    contains(
        refused(p, OnnxOptions.DEFAULT, y), "input x is (N,3,any,any)", "say its height and width");
    OnnxOptions sized =
        new OnnxOptions(
            List.of(), List.of(), Optional.of(new OnnxOptions.Size(9, 7)), Optional.empty());
    Model m = Models.importOnnx(dir.resolve("bad.onnx"), sized, w -> {});
    assertEquals("1x4x7x5", m.graph().shape(m.graph().output().name()).toString());
    Proto last = new Proto(13, 32, 32, 3);
    contains(
        refused(last, OnnxOptions.DEFAULT, last.node("GlobalAveragePool", "x")),
        "reads NHWC where (N,C,H,W) is expected");
    Proto first = new Proto(13, 32, 32, 3); // as a layer reads it
    String conv = first.node("Conv", "x", first.weight(4, 32, 3, 3));
    Model wide =
        Models.importOnnx(first.write(dir.resolve("w.onnx"), conv), OnnxOptions.DEFAULT, w -> {});
    assertEquals("1x4x30x1", wide.graph().shape(wide.graph().output().name()).toString());
    Proto flat = new Proto(13, 10);
    contains(refused(flat, OnnxOptions.DEFAULT, flat.node("Relu", "x")), "expected (N,C,H,W)");
  }

  @Test
  void ofSeveralOutputsAllAreKeptOrOneIsChosen() throws IOException {
    Proto p = new Proto(13, 3, 4, 4);
    String a = p.node("Relu", "x");
    String b = p.node("GlobalAveragePool", a);
    Path file = p.write(dir.resolve("two.onnx"), a, b);
    List<String> warnings = new ArrayList<>();
    Model first = Models.importOnnx(file, OnnxOptions.DEFAULT, warnings::add);
    assertEquals(List.of(), warnings);
    Path again = dir.resolve("again.onnx");
    Models.exportOnnx(first, again);
    assertEquals(
        List.of(a, b),
        OnnxMl.ModelProto.parseFrom(Files.readAllBytes(again)).getGraph().getOutputList().stream()
            .map(OnnxMl.ValueInfoProto::getName)
            .toList());
    OnnxOptions second = new OnnxOptions(List.of(), List.of(), Optional.empty(), Optional.of(b));
    assertEquals(3, Models.importOnnx(file, second, w -> {}).graph().nodes().size());
  }

  @Test
  void oldOpsetsAreRefused() throws IOException {
    Proto p = new Proto(6, 3, 4, 4);
    contains(refused(p, OnnxOptions.DEFAULT, p.node("Relu", "x")), "opset 6; opsets 7 to 24");
  }

  private static int[] ints(int... v) {
    return v;
  }
}
