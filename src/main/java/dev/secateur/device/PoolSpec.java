package dev.secateur.device;

/**
 * A 2-D pooling window, whose places are every dilation-th row and column. Global pooling is a
 * window as large as the input. ONNX's and PyTorch's ceil_mode is more padding below and at the
 * right, for MAX and AVERAGE; with an average that counts its declared padding but not what
 * ceil_mode adds, it is a pad with zeros by the former and then an AVERAGE with the latter.
 */
public record PoolSpec(
    Kind kind,
    int kernelH,
    int kernelW,
    int strideH,
    int strideW,
    int padTop,
    int padLeft,
    int padBottom,
    int padRight,
    int dilationH,
    int dilationW) {

  /**
   * What the window computes. AVERAGE divides by how much of the window lies inside of the input,
   * AVERAGE_INCLUDE_PADDING by the size of the window.
   */
  public enum Kind {
    MAX,
    AVERAGE,
    AVERAGE_INCLUDE_PADDING
  }

  /** A window whose places are neighbours. */
  public PoolSpec(
      Kind kind,
      int kernelH,
      int kernelW,
      int strideH,
      int strideW,
      int padTop,
      int padLeft,
      int padBottom,
      int padRight) {
    this(kind, kernelH, kernelW, strideH, strideW, padTop, padLeft, padBottom, padRight, 1, 1);
  }

  public static PoolSpec square(Kind kind, int kernel, int stride, int padding) {
    return new PoolSpec(kind, kernel, kernel, stride, stride, padding, padding, padding, padding);
  }

  /** Rows from the first of a window to its last. */
  private long spanH() {
    return (kernelH - 1L) * dilationH + 1;
  }

  private long spanW() {
    return (kernelW - 1L) * dilationW + 1;
  }

  public boolean dilated() {
    return dilationH > 1 || dilationW > 1;
  }

  /** Output height for an input height; not positive if the window is larger. */
  public long outHeight(long h) {
    return Math.floorDiv(h + padTop + padBottom - spanH(), strideH) + 1;
  }

  /** Output width for an input width; not positive if the window is larger. */
  public long outWidth(long w) {
    return Math.floorDiv(w + padLeft + padRight - spanW(), strideW) + 1;
  }
}
