package dev.secateur.io.onnx;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
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

  /** Unpacks one into a folder, under its name without .gz. */
  public static Path unpacked(String name, Path dir) throws IOException {
    Path out = dir.resolve(name.replace(".gz", ""));
    try (InputStream in = new GZIPInputStream(Files.newInputStream(FOLDER.resolve(name)))) {
      Files.write(out, in.readAllBytes());
    }
    return out;
  }
}
