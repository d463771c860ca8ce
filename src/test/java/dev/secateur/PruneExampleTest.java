package dev.secateur;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.data.Corners;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example that the README shows runs, and is as short as it says. */
class PruneExampleTest {
  @TempDir Path dir;

  @Test
  void itWritesASmallerNetworkThatCanBeReadAgain() throws Exception {
    Corners.write(dir, 600, 100);
    Graph whole = Architectures.graph("resnet8", 4, 1, 16);
    Models.save(Architectures.create("resnet8", 4, 1, 16, 1), dir.resolve("m.sct"));
    Path out = dir.resolve("pruned.onnx");
    PruneExample.main(new String[] {dir.resolve("m.sct").toString(), "idx:" + dir, out.toString()});
    Graph smaller = Models.importOnnx(out, OnnxOptions.DEFAULT, w -> {}).graph();
    assertTrue(Cost.of(smaller).macs() < 0.9 * Cost.of(whole).macs());
  }

  @Test
  void itIsAtMostThirtyLines() throws Exception {
    List<String> lines =
        Files.readAllLines(Path.of("src/test/java/dev/secateur/PruneExample.java"));
    long code = lines.stream().filter(l -> !l.isBlank()).count();
    assertTrue(code <= 30, code + " lines, imports among them");
  }
}
