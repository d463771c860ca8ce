package dev.secateur.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Where the bytes of image files are, by their numbers. Safe for several threads. */
interface ImageSource {
  /** A file as messages name it. */
  String name(int index);

  /** All of a file. */
  byte[] bytes(int index) throws IOException;

  /**
   * The first bytes of a file and its last, as many as there are and each has room for.
   *
   * @return bytes of the file
   */
  long ends(int index, ByteBuffer first, ByteBuffer last) throws IOException;

  /** What a file is told from others by, a line; another one when it changed. */
  String stamp(int index) throws IOException;

  /** Reads as much as there is and there is room for. */
  static void fill(FileChannel in, ByteBuffer dst, long position) throws IOException {
    long at = position;
    while (dst.hasRemaining()) {
      int n = in.read(dst, at);
      if (n < 0) {
        return;
      }
      at += n;
    }
  }
}
