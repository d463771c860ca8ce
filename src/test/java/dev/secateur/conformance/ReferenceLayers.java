package dev.secateur.conformance;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.Optional;

/**
 * Layers forward in double precision, one element after another, NCHW: what devices are compared
 * with. Nothing here is written for speed.
 */
public final class ReferenceLayers {
  private ReferenceLayers() {}

  public static Shape convolved(ConvolutionSpec spec, Shape xs, Shape ws) {
    return Shape.of(
        xs.dim(0),
        ws.dim(0),
        spec.outHeight(xs.dim(2), ws.dim(2)),
        spec.outWidth(xs.dim(3), ws.dim(3)));
  }

  public static double[] convolution(
      ConvolutionSpec spec, double[] x, Shape xs, double[] w, Shape ws) {
    Shape ys = convolved(spec, xs, ws);
    double[] y = new double[(int) ys.elements()];
    int cg = ws.size(1);
    int kg = ws.size(0) / spec.groups();
    int at = 0;
    for (int n = 0; n < ys.size(0); n++) {
      for (int k = 0; k < ys.size(1); k++) {
        for (int p = 0; p < ys.size(2); p++) {
          for (int q = 0; q < ys.size(3); q++) {
            double sum = 0;
            for (int j = 0; j < cg; j++) {
              int channel = (n * xs.size(1) + k / kg * cg + j) * xs.size(2);
              for (int r = 0; r < ws.size(2); r++) {
                int h = p * spec.strideH() - spec.padTop() + r * spec.dilationH();
                if (h < 0 || h >= xs.size(2)) {
                  continue;
                }
                int row = ((k * cg + j) * ws.size(2) + r) * ws.size(3);
                for (int s = 0; s < ws.size(3); s++) {
                  int v = q * spec.strideW() - spec.padLeft() + s * spec.dilationW();
                  if (v >= 0 && v < xs.size(3)) {
                    sum += x[(channel + h) * xs.size(3) + v] * w[row + s];
                  }
                }
              }
            }
            y[at++] = sum;
          }
        }
      }
    }
    return y;
  }

  /** activation(y + bias + residual), the bias per channel. */
  public static double[] epilogue(
      double[] y,
      Shape ys,
      Optional<double[]> bias,
      Optional<double[]> residual,
      Activation activation) {
    double[] out = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      int c = channel(i, ys);
      out[i] = y[i] + bias.map(b -> b[c]).orElse(0.0);
      if (residual.isPresent()) {
        out[i] += residual.get()[i];
      }
    }
    return activation(activation, out);
  }

  /** x wᵀ of x (N,C) and w (K,C). */
  public static double[] linear(double[] x, double[] w, int features) {
    int rows = x.length / features;
    int outputs = w.length / features;
    double[] y = new double[rows * outputs];
    for (int i = 0; i < y.length; i++) {
      for (int c = 0; c < features; c++) {
        y[i] += x[i / outputs * features + c] * w[i % outputs * features + c];
      }
    }
    return y;
  }

  public static double[] activation(Activation activation, double[] x) {
    double[] y = x.clone();
    for (int i = 0; i < y.length; i++) {
      y[i] =
          switch (activation) {
            case NONE -> x[i];
            case RELU -> Math.max(0, x[i]);
            case RELU6 -> Math.min(6, Math.max(0, x[i]));
          };
    }
    return y;
  }

  public static double[] batchNorm(
      double[] x,
      Shape xs,
      double[] gamma,
      double[] beta,
      double[] mean,
      double[] variance,
      double eps) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = channel(i, xs);
      y[i] = (x[i] - mean[c]) / Math.sqrt(variance[c] + eps) * gamma[c] + beta[c];
    }
    return y;
  }

  /** Mean of each channel. */
  public static double[] mean(double[] x, Shape xs) {
    double[] m = new double[xs.size(1)];
    for (int i = 0; i < x.length; i++) {
      m[channel(i, xs)] += x[i] * xs.dim(1) / x.length;
    }
    return m;
  }

  /** Biased variance of each channel. */
  public static double[] variance(double[] x, Shape xs) {
    double[] m = mean(x, xs);
    double[] v = new double[m.length];
    for (int i = 0; i < x.length; i++) {
      int c = channel(i, xs);
      v[c] += (x[i] - m[c]) * (x[i] - m[c]) * v.length / x.length;
    }
    return v;
  }

  public static Shape pooled(PoolSpec spec, Shape xs) {
    return Shape.of(xs.dim(0), xs.dim(1), spec.outHeight(xs.dim(2)), spec.outWidth(xs.dim(3)));
  }

  public static double[] pool(PoolSpec spec, double[] x, Shape xs) {
    Shape ys = pooled(spec, xs);
    double[] y = new double[(int) ys.elements()];
    for (int i = 0; i < y.length; i++) {
      int q = i % ys.size(3);
      int p = i / ys.size(3) % ys.size(2);
      int plane = i / (ys.size(3) * ys.size(2)) * xs.size(2);
      double max = Double.NEGATIVE_INFINITY;
      double sum = 0;
      int count = 0;
      for (int r = 0; r < spec.kernelH(); r++) {
        for (int s = 0; s < spec.kernelW(); s++) {
          int h = p * spec.strideH() - spec.padTop() + r * spec.dilationH();
          int w = q * spec.strideW() - spec.padLeft() + s * spec.dilationW();
          if (h >= 0 && h < xs.size(2) && w >= 0 && w < xs.size(3)) {
            double v = x[(plane + h) * xs.size(3) + w];
            max = Math.max(max, v);
            sum += v;
            count++;
          }
        }
      }
      y[i] =
          switch (spec.kind()) {
            case MAX -> max;
            case AVERAGE -> sum / count;
            case AVERAGE_INCLUDE_PADDING -> sum / (spec.kernelH() * spec.kernelW());
          };
    }
    return y;
  }

  public static double[] add(double[] a, double[] b) {
    double[] y = new double[a.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = a[i] + b[i];
    }
    return y;
  }

  /** The inputs side by side along C; {@code ys} is the shape of the result. */
  public static double[] concat(List<double[]> inputs, Shape ys) {
    double[] y = new double[(int) ys.elements()];
    int at = 0;
    for (int n = 0; n < ys.size(0); n++) {
      for (double[] x : inputs) {
        int image = x.length / ys.size(0);
        System.arraycopy(x, n * image, y, at, image);
        at += image;
      }
    }
    return y;
  }

  /** x[:, from : from + channels]. */
  public static double[] slice(double[] x, Shape xs, int from, int channels) {
    int plane = xs.size(2) * xs.size(3);
    double[] y = new double[xs.size(0) * channels * plane];
    for (int n = 0; n < xs.size(0); n++) {
      int source = (n * xs.size(1) + from) * plane;
      System.arraycopy(x, source, y, n * channels * plane, channels * plane);
    }
    return y;
  }

  /**
   * y[:, before : before + C] = x[:, :, ::stride, ::stride] of y shaped {@code ys}, 0 elsewhere.
   */
  public static double[] shortcut(double[] x, Shape xs, int stride, int before, Shape ys) {
    double[] y = new double[(int) ys.elements()];
    for (int i = 0; i < y.length; i++) {
      int w = i % ys.size(3);
      int h = i / ys.size(3) % ys.size(2);
      int c = channel(i, ys) - before;
      int n = (int) (i / (ys.elements() / ys.dim(0)));
      if (c >= 0 && c < xs.dim(1)) {
        y[i] = x[((n * xs.size(1) + c) * xs.size(2) + h * stride) * xs.size(3) + w * stride];
      }
    }
    return y;
  }

  /** The channel of an element of (N,C) or (N,C,H,W). */
  static int channel(int i, Shape s) {
    return (int) (i / (s.elements() / s.dim(0) / s.dim(1)) % s.dim(1));
  }
}
