package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Torchvision's networks, small: what is left after surgery equals the zeroed network. "functions"
 * is none of them: it puts a sigmoid between a filter and its reader, whose constant 1/2 for a dead
 * channel goes with the channel (see {@link Surgery}).
 */
class TorchvisionSurgeryTest {
  @TempDir Path dir;

  static List<String> networks() throws IOException {
    return Fixtures.names().stream().filter(n -> !n.startsWith("functions")).toList();
  }

  @ParameterizedTest
  @MethodSource("networks")
  void thePrunedNetworkEqualsTheZeroedOne(String name) throws IOException {
    Path file = Fixtures.unpacked(name, dir);
    Model model = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    try (Device device = new CpuDevice()) {
      for (int seed = 0; seed < 3; seed++) {
        Removal removed =
            Zeroed.random(model.graph(), Scope.ALL, new SplittableRandom(seed)).lowest(0.3);
        assertFalse(removed.isEmpty());
        Zeroed.assertEqual(device, model, removed, Surgery.remove(model, removed));
      }
    }
  }
}
