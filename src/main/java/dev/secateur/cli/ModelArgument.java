package dev.secateur.cli;

import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The model file that a command reads. */
final class ModelArgument {
  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description =
          "model file: .sct, .onnx, a PyTorch state dict, or Keras (.json and .h5 beside it, .h5)")
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

  @Mixin private OnnxArguments onnx;

  Path file() {
    return file;
  }

  OnnxOptions onnx() {
    return onnx.options();
  }

  Model open(Common common) throws IOException {
    return ModelFiles.open(file, architecture, classes, onnx.options(), common);
  }
}
