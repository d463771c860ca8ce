package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "import",
    description = "Writes an ONNX, PyTorch or safetensors file as a native model file.")
final class ImportCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Mixin private ModelArgument model;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "the native model file (.sct)")
  private Path output;

  @Override
  public Integer call() throws IOException {
    Model m = model.open(common);
    Models.save(m, output);
    long parameters = Cost.of(m.graph()).parameters();
    common.print(
        Map.of("output", output.toString(), "parameters", parameters),
        () -> Text.format("%s parameters, written to %s", Text.count(parameters), output));
    return 0;
  }
}
