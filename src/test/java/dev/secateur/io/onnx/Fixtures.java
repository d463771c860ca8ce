package dev.secateur.io.onnx;

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

  /** Unpacks one into a folder, under its name without .gz. */
  public static Path unpacked(String name, Path dir) throws IOException {
    Path out = dir.resolve(name.replace(".gz", ""));
    try (InputStream in = new GZIPInputStream(Files.newInputStream(FOLDER.resolve(name)))) {
      Files.write(out, in.readAllBytes());
    }
    return out;
  }
}
