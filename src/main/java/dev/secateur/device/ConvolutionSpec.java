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
   * The same with the zeros that TensorFlow's SAME puts around an input of a size: so many that
   * each stride has a window, of an odd number one more below and to the right.
   *
   * @param kernelH rows of a window, likewise its columns
   */
  public ConvolutionSpec same(int h, int w, int kernelH, int kernelW) {
    int rows = same(h, strideH, dilationH * (kernelH - 1) + 1);
    int columns = same(w, strideW, dilationW * (kernelW - 1) + 1);
    return new ConvolutionSpec(
        strideH,
        strideW,
        rows / 2,
        columns / 2,
        rows - rows / 2,
        columns - columns / 2,
        dilationH,
        dilationW,
        groups);
  }

  private static int same(int size, int stride, int span) {
    int windows = (size + stride - 1) / stride;
    return Math.max(0, (windows - 1) * stride + span - size);
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
