package dev.secateur.conformance;

import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Shape;

/** Operations beside the layers, in double precision; matrices are row-major. */
final class ReferenceMath {
  private ReferenceMath() {}

  /** An image padded with zeros, cropped, flipped, then scaled position by position. */
  static double[] imageInput(
      byte[] pixels, Shape s, int[] crops, int padding, double[] scale, double[] shift) {
    double[] y = new double[pixels.length];
    int height = s.size(2);
    int width = s.size(3);
    int image = s.size(1) * height * width;
    for (int i = 0; i < y.length; i++) {
      int n = i / image;
      int c = i / (height * width) % s.size(1);
      int h = i / width % height + crops[3 * n] - padding;
      int flipped = crops[3 * n + 2] == 1 ? width - 1 - i % width : i % width;
      int w = flipped + crops[3 * n + 1] - padding;
      boolean inside = h >= 0 && h < height && w >= 0 && w < width;
      int pixel = inside ? pixels[((n * s.size(1) + c) * height + h) * width + w] & 255 : 0;
      int at = scale.length == s.size(1) ? c : i % image;
      y[i] = pixel * scale[at] + shift[at];
    }
    return y;
  }

  static double[] gather(double[] x, Shape xs, int axis, int[] indices) {
    int inner = 1;
    for (int a = axis + 1; a < xs.rank(); a++) {
      inner *= xs.size(a);
    }
    int block = indices.length * inner;
    double[] y = new double[x.length / xs.size(axis) * indices.length];
    for (int i = 0; i < y.length; i++) {
      int index = indices[i % block / inner];
      y[i] = x[(i / block * xs.size(axis) + index) * inner + i % inner];
    }
    return y;
  }

  /** Maximum or mean over H and W, as (N,C). */
  static double[] poolFeatures(PoolSpec.Kind kind, double[] x, Shape xs) {
    PoolSpec all = new PoolSpec(kind, xs.size(2), xs.size(3), 1, 1, 0, 0, 0, 0);
    return ReferenceLayers.pool(all, x, xs);
  }

  static double[] transpose(double[] a, int rows) {
    int columns = a.length / rows;
    double[] t = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      t[i % columns * rows + i / columns] = a[i];
    }
    return t;
  }

  /** alpha A B + beta C of A (m,k) and B (k,n). */
  static double[] gemm(int m, double alpha, double[] a, double[] b, double beta, double[] c) {
    int k = a.length / m;
    int n = b.length / k;
    double[] out = new double[m * n];
    for (int i = 0; i < out.length; i++) {
      double sum = 0;
      for (int j = 0; j < k; j++) {
        sum += a[i / n * k + j] * b[j * n + i % n];
      }
      out[i] = alpha * sum + beta * c[i];
    }
    return out;
  }
}
