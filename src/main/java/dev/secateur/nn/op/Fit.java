package dev.secateur.nn.op;

import dev.secateur.tensor.Shape;

/** Checks of shapes that several operations share. */
final class Fit {
  private Fit() {}

  static long positive(long size) {
    if (size < 1) {
      throw new IllegalArgumentException(size + " is not positive");
    }
    return size;
  }

  /** Rounded up to a multiple. */
  static long up(long channels, long multiple) {
    return (channels + multiple - 1) / multiple * multiple;
  }

  /** (1,C,1,1) for an image, the shape itself for features. */
  static Shape perChannel(Shape x) {
    return x.rank() == 4 ? Shape.of(1, x.dim(1), 1, 1) : x;
  }
}
