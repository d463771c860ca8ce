package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.bench.OnnxOutputs;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.nn.Model;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
  void aPyTorchModuleComesWithItsParameters() {
    Path file = dir.resolve("net.py");
    Cli.Result r = run("export", onnx, "-o", file);
    assertEquals(0, r.code(), r.err());
    assertTrue(Files.exists(file));
    assertTrue(Files.exists(dir.resolve("net.safetensors")));
  }

  @Test
  void aNetworkIsPrunedWithoutImages() throws IOException {
    Path out = dir.resolve("run");
    Cli.Result r =
        run(
            "prune",
            onnx,
            "--criterion",
            "l1",
            "--scope",
            "all",
            "--target-macs",
            "0.5",
            "-o",
            out);
    assertEquals(0, r.code(), r.err());
    assertTrue(r.err().contains("no fine-tuning and no accuracy"), r.err());
    JsonNode before = Json.MAPPER.readTree(run("info", onnx, "--json").out());
    JsonNode after = Json.MAPPER.readTree(run("info", out.resolve("model.onnx"), "--json").out());
    assertTrue(after.get("macs").asLong() <= before.get("macs").asLong() / 2, after.toString());
    assertTrue(Files.readString(out.resolve("summary.csv")).strip().endsWith(",,"));
    assertEquals(0, run("report", out).code());
    String page = Files.readString(out.resolve("report").resolve("report.html"));
    assertTrue(!page.contains("NaN") && page.contains("no images to know accuracies by"));
    Cli.Result proof = run("verify", onnx, out.resolve("model.onnx"));
    assertEquals(0, proof.code(), proof.out() + proof.err());
    assertTrue(proof.out().contains("filters, bit for bit"), proof.out());
    Path other = dir.resolve("other.sct");
    assertEquals(0, run("create", "resnet18", "--image-size", "32", "-o", other).code());
    assertEquals(1, run("verify", onnx, other).code());
    fails(2, "--data: expected KIND:DIR, as --criterion pls-vip", run("prune", onnx, "-o", out));
    fails(
        1,
        "--finetune-epochs 2: needs images",
        withoutNote(run("prune", onnx, "--criterion", "l1", "--finetune-epochs", "2", "-o", out)));
    fails(
        1,
        "--max-drop 1.0: needs images",
        withoutNote(run("prune", onnx, "--criterion", "l1", "--max-drop", "1", "-o", out)));
  }

  private static List<double[]> outputs(Path file) {
    return OnnxOutputs.of(file, 2, 64, 64);
  }

  private static Cli.Result withoutNote(Cli.Result r) {
    String rest =
        String.join("\n", r.err().lines().filter(l -> !l.startsWith("without --data")).toList());
    return new Cli.Result(r.code(), r.out(), rest);
  }

  @Test
  void exportedInAnotherOpsetAsHalvesAndForABatch() throws Exception {
    Path out = dir.resolve("other.onnx");
    Cli.Result r = run("export", onnx, "-o", out, "--opset", "11", "--fp16", "--fixed-batch", "3");
    assertEquals(0, r.code(), r.err());
    OnnxMl.ModelProto m = OnnxMl.ModelProto.parseFrom(Files.readAllBytes(out));
    assertEquals(11, m.getOpsetImport(0).getVersion());
    OnnxMl.TypeProto.Tensor in = m.getGraph().getInput(0).getType().getTensorType();
    assertEquals(3, in.getShape().getDim(0).getDimValue());
    assertEquals(OnnxMl.TensorProto.DataType.FLOAT_VALUE, in.getElemType());
    assertTrue(
        m.getGraph().getInitializerList().stream()
            .filter(t -> t.getName().endsWith(".weight"))
            .allMatch(t -> t.getDataType() == OnnxMl.TensorProto.DataType.FLOAT16_VALUE));
    Path plain = dir.resolve("plain.onnx");
    assertEquals(0, run("export", onnx, "-o", plain, "--fixed-batch", "3").code());
    double d = OnnxOutputs.difference(outputs(out), outputs(plain));
    assertTrue(d > 0 && d < 5e-3, "halves: " + d);
    fails(
        1,
        "opset 8 is not written; expected 9 to 24 (--opset)",
        run("export", onnx, "-o", out, "--opset", "8"));
    fails(
        2,
        "are for a name ending in .onnx",
        run("export", onnx, "-o", dir.resolve("m.safetensors"), "--fp16"));
  }

  @Test
  void mistakesAreToldInOneLine() throws IOException {
    Path sct = dir.resolve("m.sct");
    assertEquals(0, run("import", onnx, "-o", sct).code());
    fails(1, "is no .onnx or Keras file; --mean", run("info", sct, "--mean", "0.5"));
    fails(1, "is no .onnx file; --input-size", run("info", sct, "--input-size", "8,8"));
    fails(2, "expected raw, unit, tf or caffe", run("info", onnx, "--input", "bgr"));
    fails(1, "--input caffe: is for Keras networks", run("info", onnx, "--input", "caffe"));
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
