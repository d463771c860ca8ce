package dev.secateur.device;

/** Geometry of a 2-D convolution (cross-correlation); pairs are height, width. */
public record ConvolutionSpec(
    int strideH,
    int strideW,
    int padTop,
    int padLeft,
    int padBottom,
    int padRight,
    int dilationH,
    int dilationW,
    int groups) {

  /** Whether zeros are put around the input. */
  public boolean padded() {
    return padTop != 0 || padLeft != 0 || padBottom != 0 || padRight != 0;
  }

  /** Square stride and padding, no dilation, one group. */
  public static ConvolutionSpec of(int stride, int padding) {
    return new ConvolutionSpec(stride, stride, padding, padding, padding, padding, 1, 1, 1);
  }

  /**
   * The same on another number of input channels: where each group reads one channel (depthwise)
   * there are as many groups, else the groups stay.
   */
  public ConvolutionSpec ofWidth(int before, int in) {
    return groups == 1 || groups != before
        ? this
        : new ConvolutionSpec(
            strideH, strideW, padTop, padLeft, padBottom, padRight, dilationH, dilationW, in);
  }

  /** Output height for an input height and kernel height; not positive if the kernel is larger. */
  public long outHeight(long h, long kernel) {
    return Math.floorDiv(h + padTop + padBottom - dilationH * (kernel - 1) - 1, strideH) + 1;
  }

  /** Output width for an input width and kernel width; not positive if the kernel is larger. */
  public long outWidth(long w, long kernel) {
    return Math.floorDiv(w + padLeft + padRight - dilationW * (kernel - 1) - 1, strideW) + 1;
  }
}
