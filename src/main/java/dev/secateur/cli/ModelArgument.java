package dev.secateur.cli;

import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The model file that a command reads. */
final class ModelArgument {
  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description =
          "model file: .sct, a PyTorch state dict, or Keras (.json with .h5 beside it, or .h5)")
  private Path file;

  @Option(
      names = "--arch",
      paramLabel = "NAME",
      description = "architecture of a PyTorch state dict, such as resnet20")
  private Optional<String> architecture;

  @Option(
      names = "--classes",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "classes of a PyTorch state dict; default as in the file")
  private Optional<Integer> classes;

  Path file() {
    return file;
  }

  Model open() throws IOException {
    return ModelFiles.open(file, architecture, classes);
  }
}
