package dev.secateur.io.onnx;

import java.util.Optional;

/**
 * How an ONNX file is written.
 *
 * @param opset 9 to 24; empty: that of the file the model came from, 17 for others
 * @param batch a fixed number of images, 0 for any; empty: as in that file, any for others
 * @param half weights and computation in float16; inputs and outputs stay as they are
 */
public record OnnxExportOptions(Optional<Integer> opset, Optional<Integer> batch, boolean half) {
  /** As the model came. */
  public static final OnnxExportOptions DEFAULT =
      new OnnxExportOptions(Optional.empty(), Optional.empty(), false);

  /** For any number of images, but for what is carried along. */
  public static final OnnxExportOptions ANY_BATCH =
      new OnnxExportOptions(Optional.empty(), Optional.of(0), false);
}
