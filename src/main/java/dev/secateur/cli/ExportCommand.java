package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
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
      description = "FILE.onnx (input: raw pixels 0..255, NCHW) or FILE.safetensors (parameters)")
  private Path output;

  @Override
  public Integer call() throws IOException {
    String name = output.getFileName().toString();
    boolean onnx = name.endsWith(".onnx");
    if (!onnx && !name.endsWith(".safetensors")) {
      throw new ParameterException(
          spec.commandLine(), "-o " + output + ": expected a name ending in .onnx or .safetensors");
    }
    Model m = model.open();
    if (onnx) {
      Models.exportOnnx(m, output);
    } else {
      Models.exportSafetensors(m, output);
    }
    common.print(Map.of("output", output.toString()), () -> "written to " + output);
    return 0;
  }
}
