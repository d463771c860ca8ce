package dev.secateur.device;

/** A 2-D pooling window. Global pooling is a window as large as the input. */
public record PoolSpec(
    Kind kind,
    int kernelH,
    int kernelW,
    int strideH,
    int strideW,
    int padTop,
    int padLeft,
    int padBottom,
    int padRight) {

  /** What the window computes. AVERAGE divides by the inside of the input only. */
  public enum Kind {
    MAX,
    AVERAGE,
    AVERAGE_INCLUDE_PADDING
  }

  public static PoolSpec square(Kind kind, int kernel, int stride, int padding) {
    return new PoolSpec(kind, kernel, kernel, stride, stride, padding, padding, padding, padding);
  }

  /** Output height for an input height; not positive if the window is larger. */
  public long outHeight(long h) {
    return Math.floorDiv(h + padTop + padBottom - kernelH, strideH) + 1;
  }

  /** Output width for an input width; not positive if the window is larger. */
  public long outWidth(long w) {
    return Math.floorDiv(w + padLeft + padRight - kernelW, strideW) + 1;
  }
}
