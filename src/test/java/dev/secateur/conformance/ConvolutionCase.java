package dev.secateur.conformance;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.tensor.Shape;
import java.util.List;

/** A convolution's geometry. */
record ConvolutionCase(Shape x, Shape w, ConvolutionSpec spec) {

  /** Small: every element of a gradient is compared with finite differences. */
  static List<ConvolutionCase> small() {
    return List.of(
        of(Shape.of(2, 7, 5, 4), Shape.of(13, 7, 1, 1), 1, 0),
        of(Shape.of(1, 1, 6, 5), Shape.of(3, 1, 3, 3), 1, 1),
        of(Shape.of(2, 3, 8, 7), Shape.of(16, 3, 3, 3), 1, 1),
        of(Shape.of(2, 3, 7, 9), Shape.of(7, 3, 3, 3), 2, 1),
        of(Shape.of(1, 16, 4, 4), Shape.of(16, 16, 3, 3), 1, 1),
        of(Shape.of(2, 16, 7, 5), Shape.of(16, 16, 1, 1), 2, 0),
        of(Shape.of(3, 17, 1, 1), Shape.of(13, 17, 3, 3), 1, 1),
        of(Shape.of(1, 17, 1, 1), Shape.of(1, 17, 1, 1), 1, 0),
        of(Shape.of(1, 3, 11, 11), Shape.of(3, 3, 7, 7), 2, 3),
        of(Shape.of(2, 3, 6, 8), Shape.of(3, 3, 2, 2), 2, 0),
        of(Shape.of(1, 7, 8, 7), Shape.of(3, 7, 2, 2), 3, 0),
        // as large as the input, and larger with padding only
        of(Shape.of(2, 7, 4, 5), Shape.of(3, 7, 4, 5), 1, 0),
        of(Shape.of(1, 3, 2, 2), Shape.of(5, 3, 3, 3), 1, 1),
        // asymmetric strides, paddings, kernels, dilations
        of(Shape.of(2, 3, 7, 6), Shape.of(5, 3, 3, 2), 2, 1, 1, 2, 0, 1, 1, 1, 1),
        of(Shape.of(1, 13, 3, 9), Shape.of(7, 13, 1, 7), 1, 2, 0, 3, 0, 3, 1, 1, 1),
        of(Shape.of(1, 3, 9, 10), Shape.of(4, 3, 3, 3), 1, 1, 2, 3, 2, 3, 2, 3, 1),
        of(Shape.of(2, 1, 8, 8), Shape.of(1, 1, 2, 3), 3, 2, 0, 1, 2, 0, 3, 1, 1),
        // groups
        of(Shape.of(2, 6, 5, 5), Shape.of(4, 3, 3, 3), 1, 1, 1, 1, 1, 1, 1, 1, 2),
        of(Shape.of(1, 21, 3, 4), Shape.of(9, 7, 3, 3), 1, 1, 1, 1, 1, 1, 1, 1, 3),
        of(Shape.of(2, 8, 3, 3), Shape.of(8, 2, 1, 1), 1, 1, 0, 0, 0, 0, 1, 1, 4),
        of(Shape.of(1, 32, 3, 3), Shape.of(32, 16, 3, 3), 1, 1, 1, 1, 1, 1, 1, 1, 2),
        of(Shape.of(1, 6, 7, 6), Shape.of(6, 2, 2, 3), 2, 1, 0, 1, 1, 2, 1, 2, 3),
        // depthwise
        of(Shape.of(2, 13, 6, 5), Shape.of(13, 1, 3, 3), 1, 1, 1, 1, 1, 1, 1, 1, 13),
        of(Shape.of(1, 16, 5, 6), Shape.of(16, 1, 3, 3), 2, 2, 1, 1, 1, 1, 1, 1, 16),
        of(Shape.of(2, 3, 7, 7), Shape.of(6, 1, 3, 3), 2, 2, 0, 1, 1, 0, 1, 1, 3),
        of(Shape.of(1, 7, 7, 8), Shape.of(7, 1, 3, 3), 1, 1, 2, 2, 2, 2, 2, 2, 7));
  }

  /** Where devices choose other algorithms, too large for finite differences. */
  static List<ConvolutionCase> large() {
    return List.of(
        of(Shape.of(2, 64, 16, 16), Shape.of(64, 64, 3, 3), 1, 1),
        of(Shape.of(3, 3, 32, 32), Shape.of(16, 3, 3, 3), 1, 1),
        of(Shape.of(1, 128, 8, 8), Shape.of(256, 128, 1, 1), 1, 0),
        of(Shape.of(2, 53, 14, 13), Shape.of(61, 53, 3, 3), 1, 1),
        of(Shape.of(2, 32, 15, 15), Shape.of(64, 32, 1, 1), 2, 0),
        of(Shape.of(1, 3, 56, 56), Shape.of(64, 3, 7, 7), 2, 3),
        of(Shape.of(2, 96, 14, 14), Shape.of(96, 1, 3, 3), 2, 2, 1, 1, 1, 1, 1, 1, 96),
        of(Shape.of(1, 128, 7, 7), Shape.of(128, 4, 3, 3), 1, 1, 1, 1, 1, 1, 1, 1, 32));
  }

  Shape y() {
    return ReferenceLayers.convolved(spec, x, w);
  }

  private static ConvolutionCase of(Shape x, Shape w, int stride, int padding) {
    return new ConvolutionCase(x, w, ConvolutionSpec.of(stride, padding));
  }

  private static ConvolutionCase of(
      Shape x,
      Shape w,
      int strideH,
      int strideW,
      int top,
      int left,
      int bottom,
      int right,
      int dilationH,
      int dilationW,
      int groups) {
    return new ConvolutionCase(
        x,
        w,
        new ConvolutionSpec(
            strideH, strideW, top, left, bottom, right, dilationH, dilationW, groups));
  }
}
