package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "export", description = "Writes a model as ONNX (opset 17) or safetensors.")
final class ExportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common common;
  @Mixin private ModelArgument model;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = {
        "FILE.onnx: NCHW input as the ONNX file had it that the model came from, else raw pixels",
        "0..255; or FILE.safetensors: parameters, with FILE.channels.json beside it"
      })
  private Path output;

  @Override
  public Integer call() throws IOException {
    String name = output.getFileName().toString();
    boolean onnx = name.endsWith(".onnx");
    if (!onnx && !name.endsWith(".safetensors")) {
      throw new ParameterException(
          spec.commandLine(), "-o " + output + ": expected a name ending in .onnx or .safetensors");
    }
    Model m = model.open(common);
    Map<String, String> json = new LinkedHashMap<>(Map.of("output", output.toString()));
    if (onnx) {
      Models.exportOnnx(m, output);
    } else {
      json.put("channels", Models.exportSafetensors(m, output).toString());
    }
    common.print(json, () -> "written to " + String.join(" and ", json.values()));
    return 0;
  }
}
