package dev.secateur.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.AccessDeniedException;

/** Tells from the first and last bytes whether a file is a whole JPEG or PNG. */
final class FileCheck {
  private static final int ENDS = 64;
  private static final long PNG = 0x89504e470d0a1a0aL;
  private static final int IEND = 0x49454e44;
  private static final int IEND_CRC = 0xae426082;

  private FileCheck() {}

  /** The reason why a file cannot be decoded, or an empty text. */
  static String problem(ImageSource files, int index) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(ENDS);
    ByteBuffer tail = ByteBuffer.allocate(ENDS);
    try {
      if (files.ends(index, head, tail) == 0) {
        return "empty file";
      }
    } catch (AccessDeniedException e) {
      return "permission denied";
    }
    byte[] h = head.array();
    if (jpeg(h)) {
      return endsJpeg(tail) || Jpeg.of(files.bytes(index), true).whole() ? "" : "truncated JPEG";
    }
    if (png(h)) {
      return endsPng(tail, tail.position() - 8) || hasEnd(ByteBuffer.wrap(files.bytes(index)))
          ? ""
          : "truncated PNG";
    }
    return "neither JPEG nor PNG";
  }

  static boolean jpeg(byte[] b) {
    return b.length > 2 && b[0] == -1 && b[1] == (byte) 0xd8 && b[2] == -1;
  }

  static boolean png(byte[] b) {
    return b.length >= 8 && ByteBuffer.wrap(b).getLong(0) == PNG;
  }

  /** An end marker, then at most padding. */
  private static boolean endsJpeg(ByteBuffer tail) {
    int n = tail.position();
    while (n > 0 && (tail.get(n - 1) == 0 || tail.get(n - 1) == -1 || tail.get(n - 1) == '\n')) {
      n--;
    }
    return n >= 2 && tail.get(n - 1) == (byte) 0xd9 && tail.get(n - 2) == -1;
  }

  private static boolean endsPng(ByteBuffer b, int at) {
    return at >= 0 && b.getInt(at) == IEND && b.getInt(at + 4) == IEND_CRC;
  }

  private static boolean hasEnd(ByteBuffer file) {
    long at = 8;
    while (at + 12 <= file.capacity()) {
      if (file.getInt((int) at + 4) == IEND) {
        return true;
      }
      at += 12 + (file.getInt((int) at) & 0xffffffffL);
    }
    return false;
  }
}
