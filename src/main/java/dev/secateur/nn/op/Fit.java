package dev.secateur.nn.op;

import dev.secateur.device.MixedPrecision;
import dev.secateur.tensor.Shape;
import java.util.OptionalLong;

/** Checks and sizes of shapes that several operations share. */
public final class Fit {
  private Fit() {}

  static long positive(long size) {
    if (size < 1) {
      throw new IllegalArgumentException(size + " is not positive");
    }
    return size;
  }

  /** Rounded up to a multiple. */
  public static long up(long size, long multiple) {
    return (size + multiple - 1) / multiple * multiple;
  }

  /**
   * So many channels as there are with additional ones, where vectors of parameters have room for
   * them: that is for as many as a multiple of {@link MixedPrecision#UNIT}.
   *
   * @param own channels without
   */
  static OptionalLong withRoom(long own, long all) {
    return up(own, MixedPrecision.UNIT) < all ? OptionalLong.empty() : OptionalLong.of(all);
  }

  /** (1,C,1,1) for an image, the shape itself for features. */
  static Shape perChannel(Shape x) {
    return x.rank() == 4 ? Shape.of(1, x.dim(1), 1, 1) : x;
  }
}
