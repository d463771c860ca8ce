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
}
