package dev.secateur.conformance;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.Shape;
import java.util.List;

/**
 * Functions, gates, choices of channels, resampling, softmax and layer norm forward in double
 * precision, as {@link ReferenceLayers} has the others.
 */
public final class ReferenceVision {
  private ReferenceVision() {}

  public static double[] elementwise(ElementwiseSpec spec, double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = elementwise(spec, x[i]);
    }
    return y;
  }

  private static double elementwise(ElementwiseSpec spec, double x) {
    double a = spec.alpha();
    double b = spec.beta();
    return switch (spec.kind()) {
      case LEAKY_RELU -> x > 0 ? x : a * x;
      case ELU -> x > 0 ? x : a * (Math.exp(x) - 1);
      case CLIP -> Math.min(Math.max(x, a), b);
      case SIGMOID -> sigmoid(x);
      case HARD_SIGMOID -> Math.min(Math.max(a * x + b, 0), 1);
      case HARD_SWISH -> x * Math.min(Math.max(x / 6 + 0.5, 0), 1);
      case SILU -> x * sigmoid(x);
      case GELU -> x * (1 + erf(x / Math.sqrt(2))) / 2;
      case TANH -> Math.tanh(x);
      case SOFTPLUS -> softplus(x);
      case MISH -> x * Math.tanh(softplus(x));
      case POWER -> Math.pow(x, a);
    };
  }

  private static double softplus(double x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** By its series 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!. */
  private static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x); // 1 - erf(6) is 2e-17
    }
    double term = x;
    double sum = x;
    for (int n = 1; n < 400; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  /** Where a channel's element of a position lies: (N,C,H,W) or (N,C). */
  private static int at(Shape s, int position, int channel) {
    int plane = (int) (s.elements() / s.dim(0) / s.dim(1));
    return (position / plane * s.size(1) + channel) * plane + position % plane;
  }

  private static int positions(Shape s) {
    return (int) (s.elements() / s.dim(1));
  }

  /**
   * @param small the shape with more channels
   */
  public static double[] pixelShuffle(double[] x, Shape small, int r, boolean up) {
    double[] y = new double[x.length];
    int h = small.size(2);
    int w = small.size(3);
    int c = small.size(1) / (r * r);
    for (int n = 0; n < small.size(0); n++) {
      for (int k = 0; k < c; k++) {
        for (int p = 0; p < h * r; p++) {
          for (int q = 0; q < w * r; q++) {
            int large = ((n * c + k) * h * r + p) * w * r + q;
            int channel = (k * r + p % r) * r + q % r;
            int from = ((n * small.size(1) + channel) * h + p / r) * w + q / r;
            y[up ? large : from] = x[up ? from : large];
          }
        }
      }
    }
    return y;
  }

  public static double[] groupNorm(
      double[] x, Shape s, int count, double[] weight, double[] bias, double eps) {
    double[] y = new double[x.length];
    int each = x.length / s.size(0) / count; // in the order of (N,C,H,W) a group lies together
    int plane = s.size(2) * s.size(3);
    for (int at = 0; at < x.length; at += each) {
      double mean = 0;
      double squares = 0;
      for (int i = at; i < at + each; i++) {
        mean += x[i] / each;
      }
      for (int i = at; i < at + each; i++) {
        squares += (x[i] - mean) * (x[i] - mean) / each;
      }
      for (int i = at; i < at + each; i++) {
        int c = i / plane % s.size(1);
        y[i] = (x[i] - mean) / Math.sqrt(squares + eps) * weight[c] + bias[c];
      }
    }
    return y;
  }

  public static double[] prelu(double[] x, Shape s, double[] slopes) {
    double[] y = x.clone();
    for (int p = 0; p < positions(s); p++) {
      for (int c = 0; c < s.size(1); c++) {
        int i = at(s, p, c);
        y[i] = x[i] > 0 ? x[i] : slopes[c] * x[i];
      }
    }
    return y;
  }

  public static double[] localResponseNorm(
      double[] x, Shape s, int size, double alpha, double beta, double bias) {
    double[] y = new double[x.length];
    for (int p = 0; p < positions(s); p++) {
      for (int c = 0; c < s.size(1); c++) {
        double sum = 0;
        for (int k = c - (size - 1) / 2; k <= c + size / 2; k++) {
          sum += k < 0 || k >= s.size(1) ? 0 : x[at(s, p, k)] * x[at(s, p, k)];
        }
        int i = at(s, p, c);
        y[i] = x[i] / Math.pow(bias + alpha / size * sum, beta);
      }
    }
    return y;
  }

  public static double[] reduceChannels(double[] x, Shape s, boolean max, int of) {
    double[] y = new double[positions(s)];
    for (int p = 0; p < y.length; p++) {
      double v = max ? Double.NEGATIVE_INFINITY : 0;
      for (int c = 0; c < s.size(1); c++) {
        v = max ? Math.max(v, x[at(s, p, c)]) : v + x[at(s, p, c)] / of;
      }
      y[p] = v;
    }
    return y;
  }

  public static double[] softmax(double[] x, Shape s) {
    double[] y = new double[x.length];
    for (int p = 0; p < positions(s); p++) {
      double sum = 0;
      for (int c = 0; c < s.size(1); c++) {
        sum += Math.exp(x[at(s, p, c)]);
      }
      for (int c = 0; c < s.size(1); c++) {
        y[at(s, p, c)] = Math.exp(x[at(s, p, c)]) / sum;
      }
    }
    return y;
  }

  /** dx = y (dy - Σ dy y), from the result of {@link #softmax}. */
  public static double[] softmaxBackward(double[] y, double[] dy, Shape s) {
    double[] dx = new double[y.length];
    for (int p = 0; p < positions(s); p++) {
      double sum = 0;
      for (int c = 0; c < s.size(1); c++) {
        sum += dy[at(s, p, c)] * y[at(s, p, c)];
      }
      for (int c = 0; c < s.size(1); c++) {
        dx[at(s, p, c)] = y[at(s, p, c)] * (dy[at(s, p, c)] - sum);
      }
    }
    return dx;
  }

  public static double[] layerNorm(double[] x, Shape s, double[] gamma, double[] beta, double eps) {
    double[] y = new double[x.length];
    int channels = s.size(1);
    for (int p = 0; p < positions(s); p++) {
      double mean = 0;
      double variance = 0;
      for (int c = 0; c < channels; c++) {
        mean += x[at(s, p, c)] / channels;
      }
      for (int c = 0; c < channels; c++) {
        variance += Math.pow(x[at(s, p, c)] - mean, 2) / channels;
      }
      for (int c = 0; c < channels; c++) {
        int i = at(s, p, c);
        y[i] = (x[i] - mean) / Math.sqrt(variance + eps) * gamma[c] + beta[c];
      }
    }
    return y;
  }

  /** The factors are alike, or b holds one a channel and image. */
  public static double[] multiply(double[] a, double[] b) {
    double[] y = new double[a.length];
    int each = a.length / b.length;
    for (int i = 0; i < y.length; i++) {
      y[i] = a[i] * b[i / each];
    }
    return y;
  }

  /** Zeros where an index is no channel. */
  public static double[] selectChannels(double[] x, Shape s, List<Integer> channels) {
    Shape ys = s.with(1, channels.size());
    double[] y = new double[(int) ys.elements()];
    for (int p = 0; p < positions(s); p++) {
      for (int j = 0; j < channels.size(); j++) {
        int c = channels.get(j);
        y[at(ys, p, j)] = c < 0 || c >= s.dim(1) ? 0 : x[at(s, p, c)];
      }
    }
    return y;
  }

  public static double[] pad(double[] x, Shape xs, int top, int left, double value, Shape ys) {
    double[] y = new double[(int) ys.elements()];
    for (int i = 0; i < y.length; i++) {
      int w = i % ys.size(3) - left;
      int h = i / ys.size(3) % ys.size(2) - top;
      int plane = i / (ys.size(3) * ys.size(2));
      boolean inside = h >= 0 && h < xs.size(2) && w >= 0 && w < xs.size(3);
      y[i] = inside ? x[(plane * xs.size(2) + h) * xs.size(3) + w] : value;
    }
    return y;
  }

  /** A border of mirrored pixels, or of the outermost ones. */
  public static double[] border(double[] x, Shape xs, int top, int left, boolean edge, Shape ys) {
    double[] y = new double[(int) ys.elements()];
    for (int i = 0; i < y.length; i++) {
      int w = inside(i % ys.size(3) - left, xs.size(3), edge);
      int h = inside(i / ys.size(3) % ys.size(2) - top, xs.size(2), edge);
      int plane = i / (ys.size(3) * ys.size(2));
      y[i] = x[(plane * xs.size(2) + h) * xs.size(3) + w];
    }
    return y;
  }

  private static int inside(int at, int size, boolean edge) {
    if (edge) {
      return Math.min(Math.max(at, 0), size - 1);
    }
    int period = Math.max(1, 2 * (size - 1));
    int turned = Math.floorMod(at, period);
    return turned < size ? turned : period - turned;
  }

  public static double[] resize(ResizeSpec spec, double[] x, Shape xs) {
    int planes = xs.size(0) * xs.size(1);
    int area = spec.height() * spec.width();
    double[] y = new double[planes * area];
    for (int i = 0; i < y.length; i++) {
      double h = place(spec, i % area / spec.width(), xs.size(2), spec.height());
      double w = place(spec, i % spec.width(), xs.size(3), spec.width());
      int h0 = (int) Math.floor(h);
      int w0 = (int) Math.floor(w);
      int h1 = Math.min(h0 + 1, xs.size(2) - 1);
      int w1 = Math.min(w0 + 1, xs.size(3) - 1);
      double down = spec.mode() == ResizeSpec.Mode.NEAREST ? 0 : h - h0;
      double right = spec.mode() == ResizeSpec.Mode.NEAREST ? 0 : w - w0;
      int plane = i / area * xs.size(2);
      double above = (1 - right) * x[(plane + h0) * xs.size(3) + w0];
      above += right * x[(plane + h0) * xs.size(3) + w1];
      double below = (1 - right) * x[(plane + h1) * xs.size(3) + w0];
      below += right * x[(plane + h1) * xs.size(3) + w1];
      y[i] = (1 - down) * above + down * below;
    }
    return y;
  }

  /** In [0, in - 1]; a hair is added so that whole numbers do not come out below themselves. */
  private static double place(ResizeSpec spec, int i, int in, int out) {
    double place =
        switch (spec.coordinates()) {
          case ASYMMETRIC -> i * (double) in / out;
          case HALF_PIXEL -> (i + 0.5) * in / out - 0.5;
          case ALIGN_CORNERS -> out == 1 ? 0 : i * (in - 1.0) / (out - 1);
        };
    return Math.min(Math.max(0, place + 1e-12), in - 1);
  }

  /** Every input pixel spreads its filter over y. */
  public static double[] transposedConvolution(
      ConvolutionSpec spec, double[] x, Shape xs, double[] w, Shape ws, Shape ys) {
    double[] y = new double[(int) ys.elements()];
    int perGroup = ws.size(1);
    int inputsPerGroup = xs.size(1) / spec.groups();
    for (int i = 0; i < x.length; i++) {
      int v = i % xs.size(3);
      int h = i / xs.size(3) % xs.size(2);
      int c = i / (xs.size(3) * xs.size(2)) % xs.size(1);
      int n = i / (xs.size(3) * xs.size(2) * xs.size(1));
      for (int j = 0; j < perGroup; j++) {
        int k = c / inputsPerGroup * perGroup + j;
        for (int r = 0; r < ws.size(2); r++) {
          for (int s = 0; s < ws.size(3); s++) {
            int p = h * spec.strideH() - spec.padTop() + r * spec.dilationH();
            int q = v * spec.strideW() - spec.padLeft() + s * spec.dilationW();
            if (p >= 0 && p < ys.size(2) && q >= 0 && q < ys.size(3)) {
              y[((n * ys.size(1) + k) * ys.size(2) + p) * ys.size(3) + q] +=
                  x[i] * w[((c * perGroup + j) * ws.size(2) + r) * ws.size(3) + s];
            }
          }
        }
      }
    }
    return y;
  }
}
