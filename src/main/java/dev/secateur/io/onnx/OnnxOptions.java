package dev.secateur.io.onnx;

import java.util.List;
import java.util.Optional;

/**
 * What an ONNX file does not say.
 *
 * @param mean what was subtracted from each channel of an image before it went into the network, in
 *     units of pixel / 255; one number a channel, or one for all
 * @param std what it was divided by then
 * @param size height and width of images, for a network that takes any
 * @param output which output to read; empty: the first
 */
public record OnnxOptions(
    List<Float> mean, List<Float> std, Optional<Size> size, Optional<String> output) {

  /** Height and width in pixels. */
  public record Size(int height, int width) {}

  /** Values are pixel / 255, sizes as in the file, the first output. */
  public static final OnnxOptions DEFAULT =
      new OnnxOptions(List.of(), List.of(), Optional.empty(), Optional.empty());

  public OnnxOptions {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
  }
}
