package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxExportOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "export",
    description = "Writes a model as ONNX, a PyTorch module or safetensors.",
    customSynopsis = "secateur export MODEL -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur export run/model.sct -o pruned.onnx",
      "  secateur export run/model.sct -o pruned.onnx --opset 13 --fixed-batch 1 --fp16",
      "  secateur export run/model.sct -o pruned.py",
      "  secateur export resnet56.th --arch resnet56 -o resnet56.onnx"
    })
final class ExportCommand extends BaseCommand {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = BaseCommand.OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "FILE",
        description = {
          "FILE.onnx: NCHW input as the ONNX file had it that the model came from, else raw pixels",
          "0..255; FILE.py: a PyTorch module, with FILE.safetensors beside it; or FILE.safetensors:",
          "parameters, with FILE.channels.json beside it"
        })
    private Path file;
  }

  @ArgGroup(validate = false, heading = "%nONNX:%n", order = 2)
  private Onnx onnx = new Onnx();

  private static final class Onnx {
    @Option(
        names = "--opset",
        paramLabel = "N",
        description = "9 to 24; default that of the file the model came from, 17 for others")
    @Sets("onnx.opset")
    private Integer opset;

    @Option(
        names = "--fixed-batch",
        paramLabel = "N",
        description = "a file for so many images; default as in that file, any for others")
    private Integer batch;

    @Option(
        names = "--fp16",
        description = "weights and computation in float16; inputs and outputs stay as they are")
    @Sets("onnx.half")
    private boolean half;

    private OnnxExportOptions options() {
      return new OnnxExportOptions(Optional.ofNullable(opset), Optional.ofNullable(batch), half);
    }

    private boolean given() {
      return !options().equals(OnnxExportOptions.DEFAULT);
    }
  }

  @Override
  public Integer call() throws IOException {
    String name = output.file.getFileName().toString();
    boolean toOnnx = name.endsWith(".onnx");
    boolean toPyTorch = name.endsWith(".py");
    if (!toOnnx && !toPyTorch && onnx.given()) {
      throw new ParameterException(
          spec.commandLine(),
          "-o "
              + output.file
              + ": --opset, --fixed-batch and --fp16 are for a name ending in .onnx");
    }
    if (onnx.batch != null && onnx.batch < 1) {
      throw new ParameterException(
          spec.commandLine(), "--fixed-batch " + onnx.batch + ": expected at least 1");
    }
    if (!toOnnx && !toPyTorch && !name.endsWith(".safetensors")) {
      throw new ParameterException(
          spec.commandLine(),
          "-o " + output.file + ": expected a name ending in .onnx, .py or .safetensors");
    }
    Model m = model.open(this::warn);
    Map<String, String> json = new LinkedHashMap<>(Map.of("output", output.file.toString()));
    if (toOnnx) {
      Models.exportOnnx(m, output.file, onnx.options());
    } else if (toPyTorch) {
      json.put("parameters", Models.exportPyTorch(m, output.file).toString());
    } else {
      json.put("channels", Models.exportSafetensors(m, output.file).toString());
    }
    print(json, () -> "written to " + String.join(" and ", json.values()));
    return 0;
  }
}
