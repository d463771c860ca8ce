package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Torchvision's networks, small: what is left after surgery equals the zeroed network. "functions"
 * is none of them: it puts a sigmoid between a filter and its reader, whose constant 1/2 for a dead
 * channel goes with the channel (see {@link Surgery}).
 */
class TorchvisionSurgeryTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "onnx");
  @TempDir Path dir;

  static List<Path> networks() throws IOException {
    try (Stream<Path> files = Files.list(FIXTURES)) {
      return files
          .filter(f -> f.toString().endsWith(".onnx.gz"))
          .filter(f -> !f.getFileName().toString().startsWith("functions"))
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("networks")
  void thePrunedNetworkEqualsTheZeroedOne(Path packed) throws IOException {
    Path file = dir.resolve("m.onnx");
    try (InputStream in = new GZIPInputStream(Files.newInputStream(packed))) {
      Files.copy(in, file);
    }
    Model model = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    try (Device device = new CpuDevice()) {
      for (int seed = 0; seed < 3; seed++) {
        Map<String, int[]> removed =
            Zeroed.random(model.graph(), Scope.ALL, new SplittableRandom(seed)).lowest(0.3);
        assertFalse(removed.isEmpty());
        Zeroed.assertEqual(device, model, removed, Surgery.remove(device, model, removed));
      }
    }
  }
}
