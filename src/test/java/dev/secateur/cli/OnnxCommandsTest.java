package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ONNX files at the command line: read by every command, told their normalisation. */
class OnnxCommandsTest {
  @TempDir Path dir;
  private Path onnx;

  @BeforeEach
  void unpack() throws IOException {
    onnx = Fixtures.unpacked("resnet18.onnx.gz", dir);
  }

  @Test
  void importedWithItsNormalisationAndExportedWithItsNames() throws IOException {
    Path sct = dir.resolve("m.sct");
    Cli.Result r = run("import", onnx, "--mean", "0.485,0.456,0.406", "--std", "0.25", "-o", sct);
    assertEquals(0, r.code(), r.err());
    Model m = Models.load(sct);
    assertEquals(0.456f * 255, m.parameters().get("input.mean").data()[1], 1e-4);
    assertEquals(0.25f * 255, m.parameters().get("input.std").data()[2], 1e-4);
    assertEquals("resnet18.onnx", m.metadata().get("source"));
    assertTrue(m.parameters().containsKey("layer1.0.conv1.weight"), "PyTorch's names");

    Path back = dir.resolve("back.onnx");
    assertEquals(0, run("export", sct, "-o", back).code());
    JsonNode info = Json.MAPPER.readTree(run("info", back, "--json").out());
    assertEquals("image", info.get("metadata").get("onnx.input").asText());
    assertEquals("scores", info.get("metadata").get("onnx.output").asText());
    assertEquals(64, info.get("metadata").get("source.sha256").asText().length());
    assertEquals(
        Json.MAPPER.readTree(run("info", onnx, "--json").out()).get("parameters"),
        info.get("parameters"));
  }

  @Test
  void safetensorsComeWithTheirChannelCounts() throws IOException {
    Path file = dir.resolve("m.safetensors");
    Cli.Result r = run("export", onnx, "-o", file, "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(dir.resolve("m.channels.json").toFile());
    assertEquals("Convolution", json.get("layer1.0.conv1").get("type").asText());
    assertEquals(4, json.get("layer1.0.conv1").get("in").asInt());
    assertEquals(10, json.get("fc").get("out").asInt());
  }

  @Test
  void mistakesAreToldInOneLine() throws IOException {
    Path sct = dir.resolve("m.sct");
    assertEquals(0, run("import", onnx, "-o", sct).code());
    fails(1, "is no .onnx file; --mean", run("info", sct, "--mean", "0.5"));
    fails(
        1,
        "the mean has 2 numbers; the input has 3 channels (--mean)",
        run("info", onnx, "--mean", "0.5,0.5"));
    fails(
        1,
        "a size of 64,64 is of no use there (--input-size)",
        run("info", onnx, "--input-size", "64,64"));
    fails(2, "expected H,W", run("info", onnx, "--input-size", "64"));
    fails(2, "expected a number greater than 0", run("info", onnx, "--std", "0"));
    fails(1, "has no output nothing; it has scores", run("info", onnx, "--output-name", "nothing"));
    Files.write(onnx, new byte[] {1, 2, 3});
    fails(1, "is no whole ONNX model", run("eval", onnx, "--data", "cifar10:" + dir));
  }
}
