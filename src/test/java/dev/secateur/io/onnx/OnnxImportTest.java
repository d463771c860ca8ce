package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Networks of torchvision's architectures, made small by scripts/make-torchvision-onnx.py, compute
 * here what they compute in ONNX Runtime, before and after we write them.
 */
class OnnxImportTest {
  @TempDir Path dir;

  static List<String> networks() throws IOException {
    return Fixtures.names();
  }

  @ParameterizedTest
  @MethodSource("networks")
  void computesWhatOnnxRuntimeComputes(String name) throws IOException, OrtException {
    Path file = Fixtures.unpacked(name, dir);
    OnnxOptions options =
        new OnnxOptions(
            List.of(0.485f, 0.456f, 0.406f),
            List.of(1f),
            java.util.Optional.empty(),
            java.util.Optional.empty());
    Model plain = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    int batch = name.startsWith("resnet50") ? 1 : 2; // that file's batch is fixed
    long[] shape = plain.graph().shape("input").with(0, batch).toArray();
    byte[] pixels = Outputs.pixels(plain, batch);
    float[] theirs = Outputs.onnxRuntime(file, pixels, shape, 255, "scores");
    float[] ours = Outputs.withHead(plain, Outputs.ours(plain, pixels, batch));
    assertTrue(
        Outputs.difference(ours, theirs) < 1e-4, "import: " + Outputs.difference(ours, theirs));

    Path exported = dir.resolve("exported.onnx");
    Models.exportOnnx(plain, exported);
    float[] again = Outputs.onnxRuntime(exported, pixels, shape, 255, "scores");
    assertTrue(
        Outputs.difference(again, theirs) < 1e-4, "export: " + Outputs.difference(again, theirs));

    Model other = Models.importOnnx(file, options, w -> {});
    Models.exportOnnx(other, exported);
    Model back = Models.importOnnx(exported, OnnxOptions.DEFAULT, w -> {});
    assertEquals(other.metadata().get(OnnxImport.MEAN), back.metadata().get(OnnxImport.MEAN));
    assertEquals(plain.metadata().get("source.sha256"), back.metadata().get("source.sha256"));
    double moved =
        Outputs.difference(Outputs.ours(other, pixels, batch), Outputs.ours(back, pixels, batch));
    assertTrue(moved < 1e-4, "there and back: " + moved);
  }
}
