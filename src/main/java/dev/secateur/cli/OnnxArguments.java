package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.io.PixelScale;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** What a person says about an ONNX file that the file does not. */
class OnnxArguments {
  @Option(
      names = "--mean",
      paramLabel = "M",
      split = ",",
      converter = Converters.Real.class,
      description =
          "what an .onnx or Keras network expects to be subtracted from pixel / 255, one number or"
              + " one a channel, such as 0.485,0.456,0.406; default 0")
  @Sets("onnx.mean")
  private List<Float> mean = List.of();

  @Option(
      names = "--std",
      paramLabel = "S",
      split = ",",
      converter = Converters.PositiveReal.class,
      description = "what it is divided by then, such as 0.229,0.224,0.225; default 1")
  @Sets("onnx.std")
  private List<Float> std = List.of();

  @Option(
      names = "--input",
      paramLabel = "raw|unit|tf|caffe",
      converter = Converters.Scale.class,
      description = {
        "the same in a word: raw pixels from 0 to 255; unit: pixel / 255, the default; tf: from -1",
        "to 1; caffe: blue, green, red without ImageNet's mean, of Keras networks"
      })
  @Sets("onnx.input")
  private PixelScale.Named input;

  @Option(
      names = "--input-size",
      paramLabel = "H,W",
      converter = Converters.ImageSize.class,
      description = "height and width of images, for an .onnx network that takes any")
  @Sets("onnx.input-size")
  private OnnxOptions.Size size;

  @Option(
      names = "--output-name",
      paramLabel = "NAME",
      description = "the one output to keep of an .onnx network with several; default all")
  private String output;

  /**
   * @throws SecateurException where it is said twice
   */
  PixelScale scale() {
    if (input != null && !(mean.isEmpty() && std.isEmpty())) {
      throw new SecateurException("--input says it all; expected that, or --mean and --std");
    }
    return input == null ? new PixelScale(mean, std, false) : input.scale();
  }

  OnnxOptions onnx() {
    PixelScale s = scale();
    return new OnnxOptions(
        s.mean(), s.std(), Optional.ofNullable(size), Optional.ofNullable(output));
  }

  /** A file of any kind, which need not be one that something was said about. */
  Model open(Path file, Consumer<String> warn) throws IOException {
    OnnxOptions options = ModelFiles.isOnnx(file) ? onnx() : OnnxOptions.DEFAULT;
    boolean scaled = ModelFiles.isOnnx(file) || ModelFiles.isKeras(file);
    PixelScale scale = scaled ? scale() : PixelScale.UNIT;
    return ModelFiles.open(file, Optional.empty(), Optional.empty(), options, scale, warn);
  }

  /** What was said about an ONNX file, if anything. */
  Optional<OnnxOptions> onnxGiven() {
    return Optional.of(onnx()).filter(o -> !o.equals(OnnxOptions.DEFAULT));
  }
}
