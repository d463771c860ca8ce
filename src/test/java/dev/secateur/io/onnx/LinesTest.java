package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.SecateurException;
import dev.secateur.bench.OnnxOutputs;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.SurgeryProof;
import dev.secateur.prune.Zeroed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks over (N,C,L) are read as images of height 1, and written as they came. */
class LinesTest {
  @TempDir Path dir;

  /** Reads a file, and compares it and its export with ONNX Runtime, ranks included. */
  private Model same(Proto p, String... outputs) throws IOException, OrtException {
    Path file = p.write(dir.resolve("net.onnx"), outputs);
    Model m = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    Path again = dir.resolve("again.onnx");
    Models.exportOnnx(m, again);
    List<double[]> expected = OnnxOutputs.of(file, 2, 1, 1);
    assertTrue(OnnxOutputs.difference(OnnxOutputs.of(again, 2, 1, 1), expected) < 1e-5);
    assertEquals(3, rank(OnnxFile.open(again).model().getGraph().getInput(0)));
    Model back = Models.importOnnx(again, OnnxOptions.DEFAULT, w -> {});
    assertEquals(
        m.graph().shape(m.graph().output().name()),
        back.graph().shape(back.graph().output().name()));
    byte[] pixels = Outputs.pixels(m, 2);
    long[] shape = m.graph().shape("input").with(0, 2).toArray();
    if (outputs.length == 1
        && !m.metadata().containsKey(OnnxImport.CARRIED)
        && !"NLC".equals(m.metadata().get(OnnxImport.LAYOUT))) {
      long[] line = {2, shape[1], shape[3]};
      float[] theirs = Outputs.onnxRuntime(file, pixels, line, 255, "");
      float[] ours = Outputs.withHead(m, Outputs.ours(m, pixels, 2));
      assertTrue(Outputs.difference(ours, theirs) < 1e-4, "" + Outputs.difference(ours, theirs));
    }
    return m;
  }

  private static int rank(OnnxMl.ValueInfoProto v) {
    return v.getType().getTensorType().getShape().getDimCount();
  }

  /** Removes filters; the export computes what the network with zeroed filters does. */
  private void pruned(Model m, String layer, int... filters) throws IOException, OrtException {
    Model smaller = Surgery.remove(m, new Removal(Map.of(layer, filters)));
    Removal gone = SurgeryProof.removed(m, smaller); // with what is coupled
    Path cut = dir.resolve("cut.onnx");
    Path zero = dir.resolve("zero.onnx");
    Models.exportOnnx(smaller, cut);
    Models.exportOnnx(Zeroed.model(m, gone), zero);
    List<double[]> expected = OnnxOutputs.of(zero, 2, 1, 1);
    double d = OnnxOutputs.difference(OnnxOutputs.of(cut, 2, 1, 1), expected);
    assertTrue(d < 1e-5, layer + " " + d);
    byte[] pixels = Outputs.pixels(m, 2);
    try (Device device = new CpuDevice()) {
      float[] a = Outputs.ours(device, smaller, pixels, 2);
      float[] b = Outputs.ours(device, Zeroed.model(m, gone), pixels, 2);
      assertTrue(Outputs.difference(a, b) < 1e-4);
    }
  }

  /** Ranks of the weights of an export's convolutions. */
  private List<Integer> weights() throws IOException {
    OnnxMl.GraphProto g = OnnxFile.open(dir.resolve("again.onnx")).model().getGraph();
    List<Integer> out = new ArrayList<>();
    for (OnnxMl.NodeProto n : g.getNodeList()) {
      if (n.getOpType().startsWith("Conv")) {
        g.getInitializerList().stream()
            .filter(t -> t.getName().equals(n.getInput(1)))
            .forEach(t -> out.add(t.getDimsCount()));
      }
    }
    return out;
  }

  private static String norm(Proto p, String x, int channels) {
    return p.node(
        "BatchNormalization",
        x,
        p.weight(channels),
        p.weight(channels),
        p.weight(channels),
        p.positive(channels));
  }

  @Test
  void everyLayerOfALine() throws IOException, OrtException {
    for (int opset : new int[] {9, 12, 13, 18}) {
      Proto p = new Proto(opset, 3, 40);
      String a =
          p.node(
              "Conv",
              "x",
              p.weight(8, 3, 5),
              p.weight(8),
              "strides=",
              new int[] {2},
              "pads=",
              new int[] {2, 1},
              "kernel_shape=",
              new int[] {5});
      String b = p.node("Relu", norm(p, a, 8));
      String c =
          p.node(
              "Conv",
              b,
              p.weight(8, 4, 3),
              "group=",
              2,
              "dilations=",
              new int[] {2},
              "pads=",
              new int[] {2, 2});
      String d = p.node("PRelu", p.node("Add", b, c), p.weight(8, 1));
      String squeeze = p.node("GlobalAveragePool", d);
      String same = p.node("Conv", squeeze, p.weight(8, 8, 2), "auto_pad=", "SAME_UPPER");
      String gate = p.node("Sigmoid", p.node("Conv", same, p.weight(8, 8, 1), p.weight(8)));
      String e = p.node("Mul", d, gate);
      String f =
          p.node(
              "MaxPool",
              e,
              "kernel_shape=",
              new int[] {3},
              "strides=",
              new int[] {2},
              "pads=",
              new int[] {1, 0},
              opset < 10 ? "auto_pad=" : "ceil_mode=",
              opset < 10 ? "NOTSET" : (Object) 1);
      String up =
          p.node(
              "ConvTranspose",
              f,
              p.weight(8, 6, 4),
              p.weight(6),
              "strides=",
              new int[] {3},
              "pads=",
              new int[] {1, 0},
              "output_padding=",
              new int[] {1});
      String padded =
          opset < 11
              ? p.node("Pad", up, "pads=", new int[] {0, 0, 1, 0, 0, 2})
              : p.node("Pad", up, p.longs(0, 0, 1, 0, 0, 2));
      String avg =
          p.node(
              "AveragePool",
              padded,
              "kernel_shape=",
              new int[] {2},
              "strides=",
              new int[] {2},
              "pads=",
              new int[] {1, 1},
              "count_include_pad=",
              1);
      String both =
          p.node(
              "Concat",
              avg,
              p.node("InstanceNormalization", avg, p.weight(6), p.weight(6)),
              "axis=",
              1);
      String tail =
          opset == 13
              ? p.node("Flatten", p.node("GlobalMaxPool", both))
              : opset == 18
                  ? p.node("ReduceMean", both, p.longs(2), "keepdims=", 0)
                  : p.node("ReduceMean", both, "axes=", new int[] {-1}, "keepdims=", 0);
      Model m = same(p, p.node("Gemm", tail, p.weight(5, 12), p.weight(5), "transB=", 1));
      assertTrue(Lines.in(m));
      assertEquals(List.of(3, 3, 3, 3, 3), weights());
      pruned(m, m.graph().nodes().get(1).name(), 1, 6);
      pruned(m, "convtranspose" + up.substring(13), 0, 5);
    }
  }

  @Test
  void aFlattenedLineAndALineOfFeatures() throws IOException, OrtException {
    Proto p = new Proto(13, 2, 12);
    String a = p.node("Conv", "x", p.weight(6, 2, 3), p.weight(6));
    String flat = p.node("Reshape", a, p.longs(-1, 60));
    String fc = p.node("Relu", p.node("Gemm", flat, p.weight(60, 20)));
    String line = p.node("Reshape", fc, p.longs(-1, 4, 5));
    String up = p.node("ConvTranspose", line, p.weight(4, 3, 3), "strides=", new int[] {2});
    Model m = same(p, up);
    assertTrue(Lines.in(m));
    assertEquals(3, rank(OnnxFile.open(dir.resolve("again.onnx")).model().getGraph().getOutput(0)));
    pruned(m, m.graph().nodes().get(1).name(), 0, 2);
  }

  @Test
  void aNetworkWhoseInputHasItsChannelsBehind() throws IOException, OrtException {
    Proto p = new Proto(13, 24, 3);
    String x = p.node("Transpose", "x", "perm=", new int[] {0, 2, 1});
    String a = p.node("Relu", p.node("Conv", x, p.weight(6, 3, 3)));
    String b = p.node("Transpose", a, "perm=", new int[] {0, 2, 1});
    String d =
        p.node("Transpose", p.node("MatMul", b, p.weight(6, 4)), "perm=", new int[] {0, 2, 1});
    Model m =
        same(p, p.node("Gemm", p.node("Flatten", p.node("GlobalAveragePool", d)), p.weight(4, 3)));
    assertEquals("NLC", m.metadata().get(OnnxImport.LAYOUT));
    assertTrue(Lines.in(m));
    pruned(m, m.graph().nodes().get(1).name(), 2);
  }

  /** As TensorFlow's exporter writes one-dimensional convolutions. */
  @Test
  void imagesOfHeightOneInside() throws IOException, OrtException {
    Proto p = new Proto(13, 3, 20);
    String x = p.node("Unsqueeze", "x", p.longs(2));
    String a = p.node("Squeeze", p.node("Conv", x, p.weight(6, 3, 1, 3)), p.longs(2));
    String b = p.node("Conv", p.node("Relu", a), p.weight(4, 6, 3));
    Model m = same(p, b);
    assertTrue(Lines.in(m));
    pruned(m, m.graph().nodes().get(1).name(), 2);
  }

  /** What is an image further on is written with images throughout, between the ranks as before. */
  @Test
  void anImageMadeOfALine() throws IOException, OrtException {
    Proto p = new Proto(13, 1, 64);
    String a = p.node("Relu", p.node("Conv", "x", p.weight(6, 1, 3), "pads=", new int[] {1, 1}));
    String image = p.node("Unsqueeze", a, p.longs(2));
    String tall = p.node("Conv", image, p.weight(5, 6, 3, 3), "pads=", new int[] {1, 1, 1, 1});
    Model m = same(p, tall);
    assertFalse(Lines.in(m));
    assertEquals(4, rank(OnnxFile.open(dir.resolve("again.onnx")).model().getGraph().getOutput(0)));
    pruned(m, m.graph().nodes().get(1).name(), 3);
    Proto q = new Proto(13, 1, 64);
    String c = q.node("Conv", "x", q.weight(6, 1, 3));
    String sideways = q.node("Conv", q.node("Unsqueeze", c, q.longs(3)), q.weight(5, 6, 3, 1));
    Path file = q.write(dir.resolve("sideways.onnx"), sideways);
    String why =
        assertThrows(
                SecateurException.class,
                () -> Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}))
            .getMessage();
    assertTrue(why.contains("which is no (N,C,H,W), (N,H,W,C), (N,C,L) or (N,C)"), why);
  }

  /** Several outputs, one of them behind a node that is no layer here. */
  @Test
  void whatIsCarriedAlong() throws IOException, OrtException {
    Proto p = new Proto(13, 2, 16);
    String a = p.node("Relu", p.node("Conv", "x", p.weight(6, 2, 3)));
    String b = p.node("Conv", a, p.weight(4, 6, 3));
    String turned = p.node("Transpose", b, "perm=", new int[] {0, 2, 1});
    String best = p.node("ArgMax", turned, "axis=", 2);
    String sorted = p.node("Cast", best, "to=", 1);
    Model m = same(p, b, turned, sorted);
    pruned(m, m.graph().nodes().get(1).name(), 0, 5);
  }

  @Test
  void aLengthThatIsNotTold() throws IOException, OrtException {
    Proto p = new Proto(13, 2, 0);
    String a = p.node("Conv", "x", p.weight(4, 2, 3));
    Path file = p.write(dir.resolve("any.onnx"), p.node("GlobalAveragePool", a));
    String why =
        assertThrows(
                SecateurException.class,
                () -> Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}))
            .getMessage();
    assertTrue(why.contains("of any length: say a height of 1 and the length as width"), why);
    OnnxOptions sized =
        new OnnxOptions(
            List.of(), List.of(), Optional.of(new OnnxOptions.Size(1, 30)), Optional.empty());
    Model m = Models.importOnnx(file, sized, w -> {});
    assertEquals(30, m.graph().shape("input").dim(3));
    assertTrue(Files.exists(file));
  }

  @Test
  void aWindowThatIsNotOfALine() throws IOException {
    Proto p = new Proto(13, 2, 16);
    Path file = p.write(dir.resolve("flat.onnx"), p.node("Conv", "x", p.weight(4, 2, 3, 3)));
    String why =
        assertThrows(
                SecateurException.class,
                () -> Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}))
            .getMessage();
    assertTrue(why.contains("has a weight of 4x2x3x3 for NCL"), why);
  }
}
