package dev.secateur.io;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Floats as files hold them. */
public final class LittleEndian {
  private static final int CHUNK = 1 << 18;

  private LittleEndian() {}

  /** Writes all, piece by piece: an array of 4 bytes each may be longer than Java allows. */
  public static void write(float[] values, OutputStream out) throws IOException {
    ByteBuffer b =
        ByteBuffer.allocate(4 * Math.min(CHUNK, values.length)).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at < values.length; at += CHUNK) {
      int n = Math.min(CHUNK, values.length - at);
      b.asFloatBuffer().put(values, at, n);
      out.write(b.array(), 0, 4 * n);
    }
  }
}
