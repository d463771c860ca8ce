package dev.secateur.data;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where the bytes of image files are, by their numbers. Safe for several threads. */
interface ImageSource {
  /** A file as messages name it. */
  String name(int index);

  /** Bytes of a file. */
  long length(int index) throws IOException;

  /**
   * Bytes of a file from {@code position} on, as many as there are and {@code dst} has room for.
   */
  void read(int index, ByteBuffer dst, long position) throws IOException;

  /** What a file is told from others by, a line; another one when it changed. */
  String stamp(int index) throws IOException;

  /** All of a file. */
  default byte[] bytes(int index) throws IOException {
    ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(length(index)));
    read(index, all, 0);
    if (all.hasRemaining()) {
      throw new IOException(name(index) + ": cut off at " + all.position() + " bytes");
    }
    return all.array();
  }
}
