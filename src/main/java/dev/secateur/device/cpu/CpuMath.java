package dev.secateur.device.cpu;

import static dev.secateur.device.cpu.CpuViews.require;
import static dev.secateur.device.cpu.CpuViews.requirePlain;
import static dev.secateur.device.cpu.CpuViews.requireType;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * The CPU device's kernels beside the layers; {@link dev.secateur.device.Device} says what each
 * computes. Loops over large tensors copy pieces into heap arrays that stay in the cache, because
 * only there does the compiler emit vector instructions.
 */
final class CpuMath {
  private static final int PIECE = 4096;

  CpuMath() {}

  Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    return new CpuPixels(pixels, crops, padding, scale, shift, y);
  }

  Kernel crossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    return new CpuLoss(logits, labels, smoothing, metrics, dlogits);
  }

  Kernel fill(Tensor x, double value) {
    long n = x.elements();
    int pieces = Math.toIntExact((n + PIECE - 1) / PIECE);
    int last = (int) (n - (long) (pieces - 1) * PIECE);
    switch (x.dtype()) {
      case F32 -> {
        FloatBuffer[] v = floatPieces(x, PIECE);
        float[] values = new float[PIECE];
        Arrays.fill(values, (float) value);
        return () -> {
          for (int i = 0; i < pieces; i++) {
            v[i].put(0, values, 0, i == pieces - 1 ? last : PIECE);
          }
        };
      }
      case F64 -> {
        DoubleBuffer[] v = doublePieces(x, PIECE);
        double[] values = new double[PIECE];
        Arrays.fill(values, value);
        return () -> {
          for (int i = 0; i < pieces; i++) {
            v[i].put(0, values, 0, i == pieces - 1 ? last : PIECE);
          }
        };
      }
      case I32 -> {
        IntBuffer v = CpuViews.ints(x);
        return () -> {
          for (int i = 0; i < v.capacity(); i++) {
            v.put(i, (int) value);
          }
        };
      }
      default -> {
        ByteBuffer v = CpuViews.bytes(x);
        return () -> {
          for (int i = 0; i < v.capacity(); i++) {
            v.put(i, (byte) (int) value);
          }
        };
      }
    }
  }

  Kernel sgd(
      Tensor p,
      Tensor grad,
      Tensor velocity,
      Tensor lr,
      float momentum,
      boolean nesterov,
      float weightDecay) {
    require(p.shape().equals(grad.shape()), "p and grad must have equal shapes", p, grad);
    require(p.shape().equals(velocity.shape()), "p and velocity must be alike", p, velocity);
    require(p.layout() == grad.layout(), "p and grad must have one layout", p, grad);
    require(p.layout() == velocity.layout(), "p and velocity must have one layout", p, velocity);
    require(lr.elements() == 1, "lr must have one element", lr);
    FloatBuffer pb = CpuViews.floats(p);
    FloatBuffer gb = CpuViews.floats(grad);
    FloatBuffer vb = CpuViews.floats(velocity);
    FloatBuffer rate = CpuViews.floats(lr);
    int n = Math.toIntExact(p.elements());
    float[][] ps = new float[Parallel.slots()][PIECE];
    float[][] gs = new float[Parallel.slots()][PIECE];
    float[][] vs = new float[Parallel.slots()][PIECE];
    Parallel.Body body =
        (piece, slot) -> {
          int at = piece * PIECE;
          int length = Math.min(PIECE, n - at);
          pb.get(at, ps[slot], 0, length);
          gb.get(at, gs[slot], 0, length);
          vb.get(at, vs[slot], 0, length);
          step(ps[slot], gs[slot], vs[slot], length, rate.get(0), momentum, nesterov, weightDecay);
          pb.put(at, ps[slot], 0, length);
          vb.put(at, vs[slot], 0, length);
        };
    int pieces = (n + PIECE - 1) / PIECE;
    return () -> Parallel.run(pieces, n, body);
  }

  private static void step(
      float[] p,
      float[] g,
      float[] v,
      int length,
      float lr,
      float momentum,
      boolean nesterov,
      float decay) {
    if (nesterov) {
      for (int i = 0; i < length; i++) {
        float d = g[i] + decay * p[i];
        float u = momentum * v[i] + d;
        v[i] = u;
        p[i] = p[i] - lr * (d + momentum * u);
      }
    } else {
      for (int i = 0; i < length; i++) {
        float u = momentum * v[i] + (g[i] + decay * p[i]);
        v[i] = u;
        p[i] = p[i] - lr * u;
      }
    }
  }

  Kernel gather(Tensor x, int axis, Tensor indices, Tensor y) {
    require(axis >= 0 && axis < x.shape().rank(), "axis outside of the shape", axis, x);
    require(x.layout() == Layout.PLAIN && y.layout() == Layout.PLAIN, "must be PLAIN", x, y);
    require(x.dtype() == y.dtype(), "x and y must have one type", x, y);
    requirePlain(indices, DType.I32, 1, "indices");
    int count = indices.shape().size(0);
    boolean fits = x.shape().with(axis, count).equals(y.shape());
    require(fits, "y must be x with axis " + axis + " of " + count, x, y);
    long outer = 1;
    for (int i = 0; i < axis; i++) {
      outer *= x.shape().dim(i);
    }
    int extent = x.shape().size(axis);
    int blocks = Math.toIntExact(outer);
    ByteBuffer from = CpuViews.bytes(x);
    ByteBuffer to = CpuViews.bytes(y);
    IntBuffer list = CpuViews.ints(indices);
    int size = Math.toIntExact(x.bytes() / outer / extent);
    return () -> {
      for (int i = 0; i < count; i++) {
        int index = list.get(i);
        require(index >= 0 && index < extent, "index must be below " + extent, index);
        for (int o = 0; o < blocks; o++) {
          to.put((o * count + i) * size, from, (o * extent + index) * size, size);
        }
      }
    };
  }

  Kernel poolFeatures(PoolSpec.Kind kind, Tensor x, Tensor features, long column) {
    requireType(x, DType.F32, "x");
    require(x.shape().rank() == 4 || x.shape().rank() == 2, "x must be (N,C,H,W) or (N,C)", x);
    requirePlain(features, DType.F32, 2, "features");
    require(kind != PoolSpec.Kind.AVERAGE_INCLUDE_PADDING, "kind must be MAX or AVERAGE", kind);
    int n = x.shape().size(0);
    int channels = x.shape().size(1);
    int p = features.shape().size(1);
    require(features.shape().size(0) == n, "features must have " + n + " rows", features);
    require(column >= 0 && column + channels <= p, "columns outside of features", column, x);
    boolean max = CpuReduction.isMax(kind);
    CpuReduction reduction = new CpuReduction(x, max);
    FloatBuffer out = CpuViews.floats(features);
    int first = (int) column;
    float factor = max ? 1f : 1f / CpuViews.pixels(x);
    Parallel.Body body =
        (i, slot) -> {
          float[] v = reduction.image(i, slot);
          if (!max) {
            for (int c = 0; c < channels; c++) {
              v[c] *= factor;
            }
          }
          out.put(i * p + first, v, 0, channels);
        };
    long work = x.elements();
    return () -> Parallel.run(n, work, body);
  }

  Kernel gemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    return CpuBlas.gemm(transposeA, transposeB, alpha, a, b, beta, c);
  }

  Kernel syrk(double alpha, Tensor a, double beta, Tensor c) {
    return CpuBlas.syrk(alpha, a, beta, c);
  }

  Kernel accumulate(Tensor src, Tensor dst) {
    require(src.shape().equals(dst.shape()), "src and dst must have equal shapes", src, dst);
    require(src.layout() == dst.layout(), "src and dst must have one layout", src, dst);
    requireType(dst, DType.F64, "dst");
    require(src.dtype() == DType.F32 || src.dtype() == DType.F64, "src must be a float", src);
    int length = 4 * PIECE;
    DoubleBuffer[] to = doublePieces(dst, length);
    double[][] sum = new double[Parallel.slots()][length];
    long work = dst.elements();
    if (src.dtype() == DType.F32) {
      FloatBuffer[] from = floatPieces(src, length);
      float[][] add = new float[Parallel.slots()][length];
      Parallel.Body body =
          (piece, slot) -> {
            double[] d = sum[slot];
            float[] s = add[slot];
            int n = to[piece].capacity();
            from[piece].get(0, s, 0, n);
            to[piece].get(0, d, 0, n);
            for (int i = 0; i < n; i++) {
              d[i] += s[i];
            }
            to[piece].put(0, d, 0, n);
          };
      return () -> Parallel.run(to.length, work, body);
    }
    DoubleBuffer[] from = doublePieces(src, length);
    double[][] add = new double[Parallel.slots()][length];
    Parallel.Body body =
        (piece, slot) -> {
          double[] d = sum[slot];
          double[] s = add[slot];
          int n = to[piece].capacity();
          from[piece].get(0, s, 0, n);
          to[piece].get(0, d, 0, n);
          for (int i = 0; i < n; i++) {
            d[i] += s[i];
          }
          to[piece].put(0, d, 0, n);
        };
    return () -> Parallel.run(to.length, work, body);
  }

  Kernel eigenSymmetric(Tensor a, Tensor eigenvalues) {
    return CpuBlas.eigenSymmetric(a, eigenvalues);
  }

  Kernel standardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    requirePlain(m, DType.F64, 2, "m");
    requirePlain(out, DType.F64, 2, "out");
    require(m.shape().equals(out.shape()), "m and out must have equal shapes", m, out);
    int rows = m.shape().size(0);
    int columns = m.shape().size(1);
    require(sumI.elements() == rows && factorI.elements() == rows, "I must be " + rows, sumI);
    require(sumJ.elements() == columns && factorJ.elements() == columns, "J " + columns, sumJ);
    require(n.elements() == 1, "n must have one element", n);
    DoubleBuffer[] from = doublePieces(m, columns);
    DoubleBuffer[] to = doublePieces(out, columns);
    DoubleBuffer si = CpuViews.doubles(sumI);
    DoubleBuffer fi = CpuViews.doubles(factorI);
    DoubleBuffer sj = CpuViews.doubles(sumJ);
    DoubleBuffer fj = CpuViews.doubles(factorJ);
    DoubleBuffer count = CpuViews.doubles(n);
    Parallel.Body body =
        (i, slot) -> {
          DoubleBuffer in = from[i];
          DoubleBuffer result = to[i];
          double mean = si.get(i) / count.get(0);
          double factor = fi.get(i);
          for (int j = 0; j < columns; j++) {
            result.put(j, (in.get(j) - mean * sj.get(j)) * factor * fj.get(j));
          }
        };
    return () -> Parallel.run(rows, (long) rows * columns, body);
  }

  Kernel inverseDeviation(Tensor squares, Tensor sum, Tensor n, Tensor factor) {
    int p = Math.toIntExact(squares.elements());
    require(sum.elements() == p && factor.elements() == p, "must have length " + p, sum, factor);
    require(n.elements() == 1, "n must have one element", n);
    DoubleBuffer squared = CpuViews.doubles(squares);
    DoubleBuffer sums = CpuViews.doubles(sum);
    DoubleBuffer count = CpuViews.doubles(n);
    DoubleBuffer out = CpuViews.doubles(factor);
    return () -> {
      double k = count.get(0);
      for (int j = 0; j < p; j++) {
        double s = sums.get(j);
        double spread = squared.get(j) - s * s / k;
        // the squares are of floats, so less than this is rounding
        boolean constant = !(spread > 1e-7 * squared.get(j)) || k < 2;
        out.put(j, constant ? 1 : Math.sqrt((k - 1) / spread));
      }
    };
  }

  Kernel multiply(Tensor a, Tensor b, Tensor out) {
    require(a.shape().equals(b.shape()), "a and b must have equal shapes", a, b);
    require(a.shape().equals(out.shape()), "a and out must have equal shapes", a, out);
    DoubleBuffer x = CpuViews.doubles(a);
    DoubleBuffer y = CpuViews.doubles(b);
    DoubleBuffer z = CpuViews.doubles(out);
    int n = Math.toIntExact(a.elements());
    return () -> {
      for (int i = 0; i < n; i++) {
        z.put(i, x.get(i) * y.get(i));
      }
    };
  }

  Kernel scaleByPower(Tensor x, Tensor scalar, double exponent) {
    require(scalar.elements() == 1, "scalar must have one element", scalar);
    DoubleBuffer v = CpuViews.doubles(x);
    DoubleBuffer by = CpuViews.doubles(scalar);
    return () -> {
      double s = by.get(0);
      // of a quantity that cannot be negative, what is not positive is an empty direction
      double factor = s > 0 ? Math.pow(s, exponent) : 0;
      for (int i = 0; i < v.capacity(); i++) {
        v.put(i, v.get(i) * factor);
      }
    };
  }

  Kernel vip(Tensor w, Tensor s, Tensor vip) {
    requirePlain(w, DType.F64, 2, "w");
    int components = w.shape().size(0);
    int p = w.shape().size(1);
    require(s.elements() == components, "s must have length " + components, s);
    require(vip.elements() == p, "vip must have length " + p, vip);
    DoubleBuffer weights = CpuViews.doubles(w);
    DoubleBuffer explained = CpuViews.doubles(s);
    FloatBuffer out = CpuViews.floats(vip);
    double[] row = new double[p];
    double[] sum = new double[p];
    return () -> {
      Arrays.fill(sum, 0);
      double total = 0;
      for (int a = 0; a < components; a++) {
        weights.get(a * p, row, 0, p);
        double norm = 0;
        for (int j = 0; j < p; j++) {
          norm += row[j] * row[j];
        }
        double share = norm > 0 ? explained.get(a) / norm : 0;
        for (int j = 0; j < p; j++) {
          sum[j] += share * row[j] * row[j];
        }
        total += norm > 0 ? explained.get(a) : 0;
      }
      double scale = total > 0 ? p / total : 0;
      for (int j = 0; j < p; j++) {
        out.put(j, (float) Math.sqrt(scale * sum[j]));
      }
    };
  }

  Kernel biasBackward(Tensor dy, Tensor db) {
    requireType(dy, DType.F32, "dy");
    require(dy.shape().rank() == 4 || dy.shape().rank() == 2, "dy must be (N,K,...)", dy);
    int n = dy.shape().size(0);
    int channels = dy.shape().size(1);
    require(db.elements() == channels, "db must have length " + channels, db);
    CpuReduction reduction = new CpuReduction(dy, false);
    FloatBuffer out = CpuViews.floats(db);
    float[] partial = new float[Math.multiplyExact(n, channels)];
    double[] sum = new double[channels];
    Parallel.Body body =
        (i, slot) -> System.arraycopy(reduction.image(i, slot), 0, partial, i * channels, channels);
    long work = dy.elements();
    return () -> {
      Parallel.run(n, work, body);
      Arrays.fill(sum, 0);
      for (int i = 0; i < n; i++) {
        for (int c = 0; c < channels; c++) {
          sum[c] += partial[i * channels + c];
        }
      }
      for (int c = 0; c < channels; c++) {
        out.put(c, (float) sum[c]);
      }
    };
  }

  private static FloatBuffer[] floatPieces(Tensor t, int length) {
    long n = t.elements();
    FloatBuffer[] pieces = new FloatBuffer[Math.toIntExact((n + length - 1) / length)];
    for (int i = 0; i < pieces.length; i++) {
      long from = (long) i * length;
      pieces[i] = CpuViews.floats(t, from, (int) Math.min(length, n - from));
    }
    return pieces;
  }

  private static DoubleBuffer[] doublePieces(Tensor t, int length) {
    long n = t.elements();
    DoubleBuffer[] pieces = new DoubleBuffer[Math.toIntExact((n + length - 1) / length)];
    for (int i = 0; i < pieces.length; i++) {
      long from = (long) i * length;
      pieces[i] = CpuViews.doubles(t, from, (int) Math.min(length, n - from));
    }
    return pieces;
  }
}
