package dev.secateur.cli;

import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The model file that a command reads. */
final class ModelOptions extends OnnxArguments {
  static final String HEADING = "%nModel:%n";

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description =
          "model file: .sct, .onnx, a PyTorch state dict, or Keras (.json and .h5 beside it, .h5, .keras)")
  private Path file;

  @Option(
      names = "--arch",
      paramLabel = "NAME",
      description = "architecture of a PyTorch state dict, such as resnet20")
  @Sets("model.architecture")
  private String architecture;

  @Option(
      names = "--classes",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "classes of a PyTorch state dict; default as in the file")
  private Integer classes;

  Path file() {
    return file;
  }

  Model open(Consumer<String> warn) throws IOException {
    return ModelFiles.open(
        file,
        Optional.ofNullable(architecture),
        Optional.ofNullable(classes),
        onnx(),
        scale(),
        warn);
  }
}
