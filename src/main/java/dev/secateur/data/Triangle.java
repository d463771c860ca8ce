package dev.secateur.data;

import java.nio.ByteBuffer;

/**
 * Resizes planes of bytes as Pillow's bilinear filter does, bit for bit: a triangle that widens
 * when shrinking, first over rows and then over columns, in fixed point. Only what a crop keeps is
 * computed. Not safe for several threads.
 */
final class Triangle {
  private static final int BITS = 22;

  private byte[] rows = {};

  /** For each output position its first input and its weights. */
  private record Weights(int[] first, int[] count, int[] weight, int most) {

    static Weights of(int in, int out, int from, int length) {
      double scale = (double) in / out;
      double stretch = Math.max(1, scale);
      int most = (int) Math.ceil(stretch) * 2 + 1;
      int[] first = new int[length];
      int[] count = new int[length];
      int[] weight = new int[length * most];
      double[] w = new double[most];
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
          weight[i * most + k] = (int) (0.5 + w[k] * norm * (1 << BITS));
        }
        first[i] = lo;
        count[i] = n;
      }
      return new Weights(first, count, weight, most);
    }
  }

  /**
   * Resizes {@code planes} planes of {@code width x height} so that the shorter side becomes {@code
   * resize}, and writes the crop of {@code cropWidth x cropHeight} in the centre. Rounding is
   * torchvision's.
   */
  void write(
      byte[] src,
      int planes,
      int width,
      int height,
      int resize,
      int cropWidth,
      int cropHeight,
      ByteBuffer dst,
      int offset) {
    int outWidth = resized(width, height, resize);
    int outHeight = resized(height, width, resize);
    int left = margin(outWidth, cropWidth);
    int top = margin(outHeight, cropHeight);
    Weights x = Weights.of(width, outWidth, left, cropWidth);
    Weights y = Weights.of(height, outHeight, top, cropHeight);
    int last = cropHeight - 1;
    int firstRow = outHeight == height ? top : y.first()[0];
    int endRow = outHeight == height ? top + cropHeight : y.first()[last] + y.count()[last];
    int size = (endRow - firstRow) * cropWidth;
    if (rows.length < size) {
      rows = new byte[size];
    }
    for (int p = 0; p < planes; p++) {
      int plane = p * width * height;
      for (int r = firstRow; r < endRow; r++) {
        int from = plane + r * width;
        int to = (r - firstRow) * cropWidth;
        if (outWidth == width) {
          System.arraycopy(src, from + left, rows, to, cropWidth);
        } else {
          across(src, from, x, to);
        }
      }
      int at = offset + p * cropHeight * cropWidth;
      if (outHeight == height) {
        dst.put(at, rows, 0, size);
      } else {
        down(y, firstRow, cropWidth, dst, at);
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

  private void across(byte[] src, int from, Weights x, int to) {
    for (int i = 0; i < x.first().length; i++) {
      int sum = 1 << (BITS - 1);
      int s = from + x.first()[i];
      int w = i * x.most();
      for (int k = 0; k < x.count()[i]; k++) {
        sum += (src[s + k] & 255) * x.weight()[w + k];
      }
      rows[to + i] = clip(sum);
    }
  }

  private void down(Weights y, int firstRow, int width, ByteBuffer dst, int at) {
    for (int i = 0; i < y.first().length; i++) {
      int s = (y.first()[i] - firstRow) * width;
      int w = i * y.most();
      int n = y.count()[i];
      for (int c = 0; c < width; c++) {
        int sum = 1 << (BITS - 1);
        for (int k = 0; k < n; k++) {
          sum += (rows[s + k * width + c] & 255) * y.weight()[w + k];
        }
        dst.put(at + i * width + c, clip(sum));
      }
    }
  }

  private static byte clip(int sum) {
    return (byte) Math.max(0, Math.min(255, sum >> BITS));
  }
}
