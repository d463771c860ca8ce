package dev.secateur.device.cpu;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;

/** Copies between Java memory, always in PLAIN order, and tensors. */
final class CpuCopies {
  private CpuCopies() {}

  static void upload(ByteBuffer src, Tensor dst) {
    ByteBuffer from = src.duplicate().clear().limit(Math.toIntExact(dst.bytes()));
    CpuViews.bytes(dst).put(from);
  }

  static void upload(float[] src, Tensor dst) {
    CpuBuffer.floats(dst).put(permuted(dst) ? toChannelsLast(src, dst.shape()) : src);
  }

  static void upload(int[] src, Tensor dst) {
    CpuViews.ints(dst).put(src);
  }

  static float[] floats(Tensor src) {
    float[] out = new float[Math.toIntExact(src.elements())];
    if (src.dtype() == DType.F64) {
      double[] d = doubles(src);
      for (int i = 0; i < out.length; i++) {
        out[i] = (float) d[i];
      }
      return out;
    }
    CpuBuffer.floats(src).get(out);
    return permuted(src) ? toPlain(out, src.shape()) : out;
  }

  static double[] doubles(Tensor src) {
    if (src.dtype() == DType.F32) {
      float[] f = floats(src);
      double[] out = new double[f.length];
      for (int i = 0; i < f.length; i++) {
        out[i] = f[i];
      }
      return out;
    }
    double[] out = new double[Math.toIntExact(src.elements())];
    CpuViews.doubles(src).get(out);
    return permuted(src) ? toPlain(out, src.shape()) : out;
  }

  private static boolean permuted(Tensor t) {
    return t.layout() == Layout.CHANNELS_LAST;
  }

  private static float[] toChannelsLast(float[] plain, Shape s) {
    return permute(plain, s.size(0), s.size(1), s.size(2) * s.size(3));
  }

  private static float[] toPlain(float[] last, Shape s) {
    return permute(last, s.size(0), s.size(2) * s.size(3), s.size(1));
  }

  private static double[] toPlain(double[] last, Shape s) {
    int area = s.size(2) * s.size(3);
    int c = s.size(1);
    double[] out = new double[last.length];
    for (int i = 0; i < out.length; i++) {
      int image = i / (c * area);
      int rest = i % (c * area);
      out[i] = last[(image * area + rest % area) * c + rest / area];
    }
    return out;
  }

  /** Transposes each of n matrices of rows x columns. */
  private static float[] permute(float[] a, int n, int rows, int columns) {
    float[] out = new float[a.length];
    for (int i = 0; i < n; i++) {
      int base = i * rows * columns;
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          out[base + c * rows + r] = a[base + r * columns + c];
        }
      }
    }
    return out;
  }
}
