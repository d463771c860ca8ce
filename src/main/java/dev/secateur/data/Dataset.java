package dev.secateur.data;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * Images of one size, or pairs of them, with what is known of them. Safe for reading from several
 * threads.
 */
public interface Dataset {
  int size();

  int channels();

  int height();

  int width();

  /** Class names by label. */
  List<String> classNames();

  int label(int index);

  default Labels labels() {
    return Labels.CLASSES;
  }

  /**
   * Whether images 2i and 2i+1 are the pair i: the size is even, both have the pair's label, and
   * there are two classes, 0 for pairs that differ and 1 for pairs that are the same.
   */
  default boolean paired() {
    return labels() == Labels.PAIRS;
  }

  /**
   * Writes the image's C*H*W pixels (U8, CHW) at {@code dst[offset...]} (absolute puts).
   *
   * @return false, with nothing written, for an image that cannot be decoded and must not count
   */
  boolean read(int index, ByteBuffer dst, int offset);

  /**
   * Whether {@link #read(int, View, ByteBuffer, int)} serves: the images have sizes of their own.
   */
  default boolean hasViews() {
    return false;
  }

  /**
   * Writes a part of the image, resized to H*W, as {@link #read(int, ByteBuffer, int)} does. An
   * image much larger than that may be decoded in a half, fourth or eighth of its size.
   *
   * @throws UnsupportedOperationException unless {@link #hasViews}
   */
  default boolean read(int index, View view, ByteBuffer dst, int offset) {
    throw new UnsupportedOperationException("images of one size");
  }
}
