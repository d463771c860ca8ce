package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Graphs as converters of TensorFlow write them: images (N,H,W,C), transposes around each layer or
 * at the entry alone, biases and pads as nodes of their own, weights turned in the graph.
 */
class ChannelsLastTest {
  private static final int[] IN = {0, 3, 1, 2};
  private static final int[] OUT = {0, 2, 3, 1};

  @TempDir Path dir;

  /** Read, written and pruned exactly, with nothing carried along and the input as it was. */
  private void check(Proto p, String output, long... dims) throws IOException, OrtException {
    Path file = p.write(dir.resolve("net.onnx"), output);
    OnnxCases.Outcome o = OnnxCases.of(file, 0.2, 0.5);
    assertTrue(o.refused().isEmpty(), o.toString());
    assertEquals("", o.carried());
    assertTrue(o.numbers() > 0 && o.exported() <= 1e-5, o.toString());
    o.pruned().values().forEach(c -> assertTrue(c.difference() <= 1e-5, o.toString()));
    assertTrue(o.pruned().values().stream().allMatch(c -> c.parameters() < 1), o.toString());
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    Path again = dir.resolve("again.onnx");
    Models.exportOnnx(m, again);
    OnnxMl.GraphProto before = OnnxMl.ModelProto.parseFrom(Files.readAllBytes(file)).getGraph();
    OnnxMl.GraphProto after = OnnxMl.ModelProto.parseFrom(Files.readAllBytes(again)).getGraph();
    assertEquals(before.getInput(0), after.getInput(0), "its name and its layout");
    assertEquals(before.getOutput(0).getName(), after.getOutput(0).getName());
  }

  /** A layer between transposes. */
  private static String turned(Proto p, String type, String x, Object... rest) {
    Object[] all = new Object[rest.length + 1];
    all[0] = p.node("Transpose", x, "perm=", IN);
    System.arraycopy(rest, 0, all, 1, rest.length);
    return p.node("Transpose", p.node(type, all), "perm=", OUT);
  }

  /** A weight as TensorFlow has it, (H,W,I,O), which the graph turns. */
  private static String weight(Proto p, long filters, long channels, long window) {
    return p.node(
        "Transpose", p.weight(window, window, channels, filters), "perm=", new int[] {3, 2, 0, 1});
  }

  private static String convolution(Proto p, String x, long from, long to) {
    String y = turned(p, "Conv", x, weight(p, to, from, 3), "auto_pad=", "SAME_UPPER");
    return p.node("Add", y, p.weight(to));
  }

  private static String norm(Proto p, String x, int c) {
    String[] of = {p.weight(c), p.weight(c), p.weight(c), p.node("Abs", p.weight(c))};
    return turned(p, "BatchNormalization", x, of[0], of[1], of[2], of[3], "epsilon=", 1e-3f);
  }

  @Test
  void transposesAroundEachLayer() throws IOException, OrtException {
    Proto p = new Proto(13, 16, 16, 3);
    String a = p.node("Relu", norm(p, convolution(p, "x", 3, 8), 8));
    int[] two = {2, 2};
    String b = turned(p, "MaxPool", a, "kernel_shape=", two, "strides=", two);
    String c = p.node("Clip", norm(p, convolution(p, b, 8, 12), 12), p.number(0), p.number(6));
    String d = p.node("Add", convolution(p, p.node("Relu", convolution(p, c, 12, 6)), 6, 12), c);
    String e = p.node("Concat", d, convolution(p, d, 12, 4), "axis=", 3);
    String mean = p.node("ReduceMean", e, "axes=", new int[] {1, 2}, "keepdims=", 0);
    String logits = p.node("Add", p.node("MatMul", mean, p.weight(16, 5)), p.weight(5));
    check(p, p.node("Softmax", logits, "axis=", -1));
  }

  @Test
  void aTransposeAtTheEntryAlone() throws IOException, OrtException {
    Proto p = new Proto(13, 16, 16, 3);
    String x = p.node("Transpose", "x", "perm=", IN);
    int[] pads = {0, 0, 1, 1};
    int[] two = {2, 2};
    String a = p.node("Conv", x, p.weight(8, 3, 3, 3), p.weight(8), "pads=", pads, "strides=", two);
    String b = p.node("Conv", p.node("Relu", a), p.weight(8, 8, 3, 3), p.weight(8));
    String pooled = p.node("GlobalAveragePool", p.node("Relu", b));
    String flat = p.node("Squeeze", pooled, p.longs(2, 3));
    check(p, p.node("Add", p.node("MatMul", flat, p.weight(8, 5)), p.weight(5)));
  }

  /** Rows of all pixels in TensorFlow's order, and pads that are nodes. */
  @ParameterizedTest
  @ValueSource(strings = {"Reshape", "Flatten"})
  void padsAndFlattenedMaps(String flatten) throws IOException, OrtException {
    Proto p = new Proto(13, 16, 16, 3);
    String padded = p.node("Pad", "x", p.longs(0, 1, 1, 0, 0, 2, 2, 0));
    int[] two = {2, 2};
    String a = turned(p, "Conv", padded, weight(p, 8, 3, 3), "strides=", two, "auto_pad=", "VALID");
    String b = p.node("Pad", p.node("Relu", a), p.longs(0, 0, 0, 0, 0, 1, 1, 0));
    String c = p.node("Relu", turned(p, "Conv", b, weight(p, 6, 8, 3), "strides=", two));
    String flat =
        flatten.equals("Flatten")
            ? p.node("Flatten", c)
            : p.node("Reshape", c, p.longs(-1, 4 * 4 * 6));
    String hidden =
        p.node("Relu", p.node("Add", p.node("MatMul", flat, p.weight(96, 10)), p.weight(10)));
    check(p, p.node("Add", p.node("MatMul", hidden, p.weight(10, 5)), p.weight(5)));
  }

  /** Depthwise convolutions, gates of channels, swish; means that keep their axes. */
  @Test
  void gatesAndDepthwise() throws IOException, OrtException {
    Proto p = new Proto(13, 16, 16, 3);
    String a = norm(p, convolution(p, "x", 3, 8), 8);
    a = p.node("Mul", a, p.node("Sigmoid", a));
    String each = p.node("Transpose", p.weight(3, 3, 8, 1), "perm=", new int[] {2, 3, 0, 1});
    String b = turned(p, "Conv", a, each, "group=", 8, "auto_pad=", "SAME_UPPER");
    b = p.node("Relu", norm(p, p.node("Add", b, p.weight(8)), 8));
    String mean = p.node("ReduceMean", b, "axes=", new int[] {1, 2}, "keepdims=", 1);
    String small =
        p.node("Relu", p.node("Add", turned(p, "Conv", mean, weight(p, 4, 8, 1)), p.weight(4)));
    String gate =
        p.node("Sigmoid", p.node("Add", turned(p, "Conv", small, weight(p, 8, 4, 1)), p.weight(8)));
    String c = convolution(p, p.node("Mul", b, gate), 8, 6);
    String pooled =
        p.node(
            "Squeeze",
            p.node("ReduceMean", p.node("Relu", c), "axes=", new int[] {1, 2}),
            p.longs(1, 2));
    check(p, p.node("MatMul", pooled, p.weight(6, 5)));
  }

  /** Maps that are put out (N,H,W,C), after a resize between transposes. */
  @Test
  void mapsStayChannelsLast() throws IOException, OrtException {
    Proto p = new Proto(13, 16, 16, 3);
    String a = p.node("Relu", convolution(p, "x", 3, 8));
    int[] two = {2, 2};
    String b = turned(p, "AveragePool", a, "kernel_shape=", two, "strides=", two);
    b = p.node("Relu", convolution(p, b, 8, 6));
    String up =
        turned(
            p,
            "Resize",
            b,
            "",
            p.floats(1, 1, 2, 2),
            "mode=",
            "nearest",
            "coordinate_transformation_mode=",
            "asymmetric",
            "nearest_mode=",
            "floor");
    String joined = p.node("Concat", up, a, "axis=", -1);
    check(p, convolution(p, joined, 14, 5));
  }

  /** What the layout is, the graph says where extents do not. */
  @Test
  void smallImagesOfFourChannels() throws IOException, OrtException {
    Proto p = new Proto(13, 8, 8, 4);
    String x = p.node("Mul", p.node("Sub", "x", p.number(0.5f)), p.number(2));
    String a = p.node("Relu", convolution(p, x, 4, 8));
    String mean =
        p.node(
            "ReduceMean",
            p.node("Relu", convolution(p, a, 8, 6)),
            "axes=",
            new int[] {1, 2},
            "keepdims=",
            0);
    check(p, p.node("MatMul", mean, p.weight(6, 5)));
  }
}
