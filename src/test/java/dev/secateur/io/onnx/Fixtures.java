package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** The small ONNX files of scripts/make-torchvision-onnx.py. */
public final class Fixtures {
  private static final Path FOLDER = Path.of("src", "test", "resources", "onnx");

  private Fixtures() {}

  /** Their names, each ending in .onnx.gz. */
  public static List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files
          .map(f -> f.getFileName().toString())
          .filter(n -> n.endsWith(".onnx.gz"))
          .sorted()
          .toList();
    }
  }

  /**
   * Writes a small detector: two sizes of maps, decoded and joined by what is no layer here, and a
   * third output.
   *
   * @param file for images of (3,16,16)
   */
  public static Path detector(Path file) throws IOException {
    int[] pads = {1, 1, 1, 1};
    Proto p = new Proto(13, 3, 16, 16);
    String stem = p.node("Relu", p.node("Conv", "x", p.weight(8, 3, 3, 3), "pads=", pads));
    String fine = p.node("Relu", p.node("Conv", stem, p.weight(8, 8, 3, 3), "pads=", pads));
    int[] two = {2, 2};
    String half = p.node("MaxPool", fine, "kernel_shape=", two, "strides=", two);
    String coarse = p.node("Relu", p.node("Conv", half, p.weight(12, 8, 3, 3), "pads=", pads));
    List<String> rows = new ArrayList<>();
    for (String level : List.of(fine, coarse)) {
      long width = level.equals(fine) ? 8 : 12;
      String head = p.node("Conv", level, p.weight(6, width, 1, 1));
      String last = p.node("Transpose", head, "perm=", new int[] {0, 2, 3, 1});
      rows.add(p.node("Reshape", last, p.longs(0, -1, 6)));
    }
    String all = p.node("Concat", rows.get(0), rows.get(1), "axis=", 1);
    String boxes = p.node("Exp", p.node("Slice", all, p.longs(0), p.longs(4), p.longs(2)));
    String scores = p.node("Sigmoid", p.node("Slice", all, p.longs(4), p.longs(6), p.longs(2)));
    return p.write(file, boxes, scores, fine);
  }

  /**
   * Writes a small classifier of 4 classes.
   *
   * @param tail whether a rising function behind it, which is no layer here, is its last
   * @param last whether images are (N,H,W,C)
   */
  public static Path classifier(Path file, boolean tail, boolean last) throws IOException {
    int[] pads = {1, 1, 1, 1};
    Proto p = last ? new Proto(13, 16, 16, 3) : new Proto(13, 3, 16, 16);
    String x = last ? p.node("Transpose", "x", "perm=", new int[] {0, 3, 1, 2}) : "x";
    String c = p.node("Relu", p.node("Conv", x, p.weight(8, 3, 3, 3), "pads=", pads));
    String d = p.node("Relu", p.node("Conv", c, p.weight(8, 8, 3, 3), "pads=", pads));
    String flat = p.node("Flatten", d);
    String logits = p.node("Gemm", flat, p.weight(8 * 256, 4), p.weight(4));
    return p.write(file, tail ? p.node("Asinh", logits) : logits);
  }

  /**
   * Writes a small classifier of 4 classes of grey images, behind a function that is no layer here.
   *
   * @param single whether it takes one image, (C,H,W)
   */
  public static Path fronted(Path file, boolean single) throws IOException {
    int[] pads = {1, 1, 1, 1};
    Proto p = single ? new Proto(13) : new Proto(13, 1, 16, 16);
    if (single) {
      p.single("x", 1, 16, 16);
    }
    String x = p.node("Sin", single ? p.node("Unsqueeze", "x", p.longs(0)) : "x");
    String c = p.node("Relu", p.node("Conv", x, p.weight(8, 1, 3, 3), "pads=", pads));
    String d = p.node("Relu", p.node("Conv", c, p.weight(8, 8, 3, 3), "pads=", pads));
    String flat = p.node("Flatten", d);
    return p.write(file, p.node("Gemm", flat, p.weight(8 * 256, 4), p.weight(4)));
  }

  /**
   * Writes a network whose classes of a pixel are its colours: the map of a channel is the channel.
   *
   * @param whole whether it puts out the class, else a map a class, of half the size
   * @param last whether images and maps are (N,H,W,C)
   */
  public static Path colours(Path file, boolean whole, boolean last) throws IOException {
    Proto p = last ? new Proto(13, 16, 16, 3) : new Proto(13, 3, 16, 16);
    String x = last ? p.node("Transpose", "x", "perm=", new int[] {0, 3, 1, 2}) : "x";
    String eye = p.tensor(new long[] {3, 3, 1, 1}, 1, 0, 0, 0, 1, 0, 0, 0, 1);
    String maps = p.node("Relu", p.node("Conv", p.node("Conv", x, eye), eye));
    if (!whole) {
      int[] two = {2, 2};
      String half = p.node("MaxPool", maps, "kernel_shape=", two, "strides=", two);
      return p.write(
          file, last ? p.node("Transpose", half, "perm=", new int[] {0, 2, 3, 1}) : half);
    }
    OnnxMl.ModelProto.Builder m =
        p.model(p.node("ArgMax", maps, "axis=", 1, "keepdims=", 0)).toBuilder();
    m.getGraphBuilder().getOutputBuilder(0).getTypeBuilder().getTensorTypeBuilder().setElemType(7);
    return Files.write(file, m.build().toByteArray());
  }

  /** Unpacks one into a folder, under its name without .gz. */
  public static Path unpacked(String name, Path dir) throws IOException {
    Path out = dir.resolve(name.replace(".gz", ""));
    try (InputStream in = new GZIPInputStream(Files.newInputStream(FOLDER.resolve(name)))) {
      Files.write(out, in.readAllBytes());
    }
    return out;
  }
}
