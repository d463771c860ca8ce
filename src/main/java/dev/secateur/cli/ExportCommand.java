package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "export",
    description = "Writes a model as ONNX (opset 17) or safetensors.",
    customSynopsis = "secateur export MODEL -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur export run/model.sct -o pruned.onnx",
      "  secateur export run/model.sct -o pruned.safetensors",
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
          "0..255; or FILE.safetensors: parameters, with FILE.channels.json beside it"
        })
    private Path file;
  }

  @Override
  public Integer call() throws IOException {
    String name = output.file.getFileName().toString();
    boolean onnx = name.endsWith(".onnx");
    if (!onnx && !name.endsWith(".safetensors")) {
      throw new ParameterException(
          spec.commandLine(),
          "-o " + output.file + ": expected a name ending in .onnx or .safetensors");
    }
    Model m = model.open(this::warn);
    Map<String, String> json = new LinkedHashMap<>(Map.of("output", output.file.toString()));
    if (onnx) {
      Models.exportOnnx(m, output.file);
    } else {
      json.put("channels", Models.exportSafetensors(m, output.file).toString());
    }
    print(json, () -> "written to " + String.join(" and ", json.values()));
    return 0;
  }
}
