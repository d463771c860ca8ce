package dev.secateur.device;

/**
 * Resampling of height and width, as ONNX's Resize defines it.
 *
 * @param height of the output
 * @param width of the output
 */
public record ResizeSpec(int height, int width, Mode mode, Coordinates coordinates) {

  /** How the value at a place between pixels is found. */
  public enum Mode {
    /** The pixel at the place rounded down (ONNX: nearest_mode floor). */
    NEAREST,
    BILINEAR
  }

  /** Where output pixel i lies in the input, by each axis; scale = output / input length. */
  public enum Coordinates {
    /** i / scale. */
    ASYMMETRIC,
    /** (i + 1/2) / scale - 1/2. */
    HALF_PIXEL,
    /** i (input - 1) / (output - 1). */
    ALIGN_CORNERS
  }

  /**
   * Where the pixels of an axis come from, in whole numbers, so that nothing is rounded: output
   * pixel i lies at (step i + offset) / divisor, moved to the border where that is outside.
   */
  public record Axis(long step, long offset, long divisor) {}

  /** The axis of an input length and an output length. */
  public Axis axis(long in, long out) {
    return switch (coordinates) {
      case ASYMMETRIC -> new Axis(in, 0, out);
      case HALF_PIXEL -> new Axis(2 * in, in - out, 2 * out);
      case ALIGN_CORNERS -> out == 1 ? new Axis(0, 0, 1) : new Axis(in - 1, 0, out - 1);
    };
  }
}
