package dev.secateur.data;

import java.nio.ByteBuffer;

/**
 * Resizes images of bytes as Pillow's bilinear filter does, bit for bit: a triangle that widens
 * when shrinking, first over rows and then over columns, in fixed point, rounded to bytes between.
 * Only what a crop keeps is computed. Not safe for several threads.
 */
final class Triangle {
  private static final int BITS = 22;
  private static final int ROUND = 1 << (BITS - 1);

  /** Taps that one pass over a row takes. */
  private static final int TAPS = 4;

  private int[] rows = {};
  private int[] sums = {};
  private byte[] line = {};
  private Weights across = Weights.of(1, 1, 0, 1);
  private Weights down = across;

  /**
   * For each output position its first input and its weights, as many for each.
   *
   * @param in what they were made for, as out, from and length
   * @param weight {@code taps} to an output
   */
  private record Weights(
      int in, int out, int from, int length, int[] first, int[] weight, int taps) {

    static Weights of(int in, int out, int from, int length) {
      double scale = (double) in / out;
      double stretch = Math.max(1, scale);
      int taps = Math.min(in, (int) Math.ceil(stretch) * 2 + 1);
      int[] first = new int[length];
      int[] weight = new int[length * taps];
      double[] w = new double[taps];
      int most = 1;
      for (int i = 0; i < length; i++) {
        double centre = (from + i + 0.5) * scale;
        int lo = Math.max(0, (int) (centre - stretch + 0.5));
        int n = Math.min(in, (int) (centre + stretch + 0.5)) - lo;
        double sum = 0;
        for (int k = 0; k < n; k++) {
          w[k] = Math.max(0, 1 - Math.abs((k + lo - centre + 0.5) * (1 / stretch)));
          sum += w[k];
        }
        double norm = sum == 0 ? 1 : 1 / sum;
        for (int k = 0; k < n; k++) {
          weight[i * taps + k] = (int) (0.5 + w[k] * norm * (1 << BITS));
        }
        first[i] = lo;
        most = Math.max(most, n);
      }
      return new Weights(in, out, from, length, first, weight, taps).packed(most);
    }

    /** With the taps that are needed, all of them inside. */
    private Weights packed(int most) {
      int[] begin = new int[length];
      int[] packed = new int[length * most];
      for (int i = 0; i < length; i++) {
        begin[i] = Math.min(first[i], in - most);
        int shift = first[i] - begin[i];
        System.arraycopy(weight, i * taps, packed, i * most + shift, most - shift);
      }
      return new Weights(in, out, from, length, begin, packed, most);
    }

    /** These, or others where they were made for something else. */
    Weights or(int otherIn, int otherOut, int otherFrom, int otherLength) {
      boolean same = in == otherIn && out == otherOut && from == otherFrom && length == otherLength;
      return same ? this : of(otherIn, otherOut, otherFrom, otherLength);
    }
  }

  /**
   * What becomes of a region.
   *
   * @param width that the region gets, as height
   * @param kept of that
   */
  record Target(int width, int height, Region kept) {
    /** The shorter side becomes {@code resize}, the centre is kept; rounded as torchvision does. */
    static Target centre(int width, int height, int resize, int cropWidth, int cropHeight) {
      int w = resized(width, height, resize);
      int h = resized(height, width, resize);
      return new Target(
          w, h, new Region(margin(w, cropWidth), margin(h, cropHeight), cropWidth, cropHeight));
    }

    static Target whole(int width, int height) {
      return new Target(width, height, Region.all(width, height));
    }
  }

  /**
   * Resizes a region of an image and writes what is kept of it.
   *
   * @param src H*W*C bytes
   * @param width of the image
   * @param dst C*H*W bytes of what is kept, from {@code offset} on
   */
  void write(
      byte[] src, int channels, int width, Region of, Target to, ByteBuffer dst, int offset) {
    Region kept = to.kept();
    int wide = kept.width();
    across = across.or(of.width(), to.width(), kept.left(), wide);
    down = down.or(of.height(), to.height(), kept.top(), kept.height());
    int firstRow = down.first()[0];
    int endRow = down.first()[kept.height() - 1] + down.taps();
    int size = wide * channels;
    if (rows.length < (endRow - firstRow) * size) {
      rows = new int[(endRow - firstRow) * size];
    }
    for (int r = firstRow; r < endRow; r++) {
      int from = ((of.top() + r) * width + of.left()) * channels;
      int at = (r - firstRow) * size;
      if (channels == 3) {
        across3(src, from, across, rows, at);
      } else {
        across1(src, from, across, rows, at);
      }
    }
    if (sums.length < size) {
      sums = new int[size];
      line = new byte[size];
    }
    int plane = kept.height() * wide;
    for (int r = 0; r < kept.height(); r++) {
      down(down, r, firstRow, size);
      narrow(sums, line, size);
      for (int c = 0; c < channels; c++) {
        dst.put(offset + c * plane + r * wide, line, c * wide, wide);
      }
    }
  }

  /** What a side becomes where the shorter one becomes {@code resize}. */
  static int resized(int side, int other, int resize) {
    return side <= other ? resize : (int) ((double) resize * side / other);
  }

  /** What is cropped off in front of the centre. */
  static int margin(int side, int crop) {
    return (int) Math.rint((side - crop) / 2.0);
  }

  /** A row of pixels into three rows of their channels. */
  private static void across3(byte[] src, int from, Weights x, int[] rows, int to) {
    int[] first = x.first();
    int[] weight = x.weight();
    int taps = x.taps();
    int wide = first.length;
    for (int i = 0; i < wide; i++) {
      int r = ROUND;
      int g = ROUND;
      int b = ROUND;
      int s = from + 3 * first[i];
      int w = i * taps;
      for (int k = 0; k < taps; k++) {
        int v = weight[w + k];
        r += (src[s + 3 * k] & 255) * v;
        g += (src[s + 3 * k + 1] & 255) * v;
        b += (src[s + 3 * k + 2] & 255) * v;
      }
      rows[to + i] = clip(r);
      rows[to + wide + i] = clip(g);
      rows[to + 2 * wide + i] = clip(b);
    }
  }

  private static void across1(byte[] src, int from, Weights x, int[] rows, int to) {
    for (int i = 0; i < x.first().length; i++) {
      int sum = ROUND;
      int s = from + x.first()[i];
      int w = i * x.taps();
      for (int k = 0; k < x.taps(); k++) {
        sum += (src[s + k] & 255) * x.weight()[w + k];
      }
      rows[to + i] = clip(sum);
    }
  }

  /** One row of the result into {@link #sums}. */
  private void down(Weights y, int r, int firstRow, int size) {
    int from = (y.first()[r] - firstRow) * size;
    int taps = y.taps();
    for (int k = 0; k < taps; k += TAPS) {
      int[] at = new int[TAPS];
      int[] w = new int[TAPS];
      for (int j = 0; j < TAPS; j++) {
        at[j] = from + Math.min(k + j, taps - 1) * size;
        w[j] = k + j < taps ? y.weight()[r * taps + k + j] : 0;
      }
      if (k == 0) {
        first4(sums, rows, at[0], at[1], at[2], at[3], w[0], w[1], w[2], w[3], size);
      } else {
        next4(sums, rows, at[0], at[1], at[2], at[3], w[0], w[1], w[2], w[3], size);
      }
    }
    clipAll(sums, size);
  }

  // Loops of their own over plain arrays, which the compiler makes vectors of.

  private static void first4(
      int[] out, int[] in, int a, int b, int c, int d, int wa, int wb, int wc, int wd, int n) {
    for (int i = 0; i < n; i++) {
      out[i] = ROUND + in[a + i] * wa + in[b + i] * wb + in[c + i] * wc + in[d + i] * wd;
    }
  }

  private static void next4(
      int[] out, int[] in, int a, int b, int c, int d, int wa, int wb, int wc, int wd, int n) {
    for (int i = 0; i < n; i++) {
      out[i] += in[a + i] * wa + in[b + i] * wb + in[c + i] * wc + in[d + i] * wd;
    }
  }

  private static void clipAll(int[] out, int n) {
    for (int i = 0; i < n; i++) {
      out[i] = Math.max(0, Math.min(255, out[i] >> BITS));
    }
  }

  private static void narrow(int[] in, byte[] out, int n) {
    for (int i = 0; i < n; i++) {
      out[i] = (byte) in[i];
    }
  }

  private static int clip(int sum) {
    return Math.max(0, Math.min(255, sum >> BITS));
  }
}
