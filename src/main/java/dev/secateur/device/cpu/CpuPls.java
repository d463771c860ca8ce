package dev.secateur.device.cpu;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Pls;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Sums and products behind PLS. Loops over large tensors copy pieces into heap arrays that stay in
 * the cache, because only there does the compiler emit vector instructions.
 */
final class CpuPls implements Pls {
  private static final int PIECE = 1 << 14;
  private final CpuFeatureSums.SharedScratch scratch = new CpuFeatureSums.SharedScratch();

  CpuPls() {}

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileAccumulate(Tensor src, Tensor dst) {
    DoubleBuffer[] to = CpuViews.doublePieces(dst, PIECE);
    double[][] sum = new double[CpuParallel.slots()][PIECE];
    long work = dst.elements();
    if (src.dtype() == DType.F32) {
      FloatBuffer[] from = CpuViews.floatPieces(src, PIECE);
      float[][] add = new float[CpuParallel.slots()][PIECE];
      CpuParallel.Body body =
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
      return () -> CpuParallel.run(to.length, work, body);
    }
    DoubleBuffer[] from = CpuViews.doublePieces(src, PIECE);
    double[][] add = new double[CpuParallel.slots()][PIECE];
    CpuParallel.Body body =
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
    return () -> CpuParallel.run(to.length, work, body);
  }

  @Override
  public Kernel compileAccumulateFeatures(
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    return new CpuFeatureSums(scratch, x, labels, shift, out, sums, counts, squares);
  }

  @Override
  public Kernel compilePairDifferences(Tensor x, Tensor out) {
    int columns = x.shape().size(1);
    FloatBuffer[] from = CpuViews.floatPieces(x, columns);
    FloatBuffer[] to = CpuViews.floatPieces(out, columns);
    CpuParallel.Body body =
        (i, slot) -> {
          FloatBuffer a = from[2 * i];
          FloatBuffer b = from[2 * i + 1];
          FloatBuffer result = to[i];
          for (int j = 0; j < columns; j++) {
            result.put(j, Math.abs(a.get(j) - b.get(j)));
          }
        };
    return () -> CpuParallel.run(to.length, out.elements(), body);
  }

  @Override
  public Kernel compileStandardize(
      Tensor m, Tensor sumI, Tensor sumJ, Tensor n, Tensor factorI, Tensor factorJ, Tensor out) {
    int rows = m.shape().size(0);
    int columns = m.shape().size(1);
    DoubleBuffer[] from = CpuViews.doublePieces(m, columns);
    DoubleBuffer[] to = CpuViews.doublePieces(out, columns);
    DoubleBuffer si = CpuViews.doubles(sumI);
    DoubleBuffer fi = CpuViews.doubles(factorI);
    DoubleBuffer sj = CpuViews.doubles(sumJ);
    DoubleBuffer fj = CpuViews.doubles(factorJ);
    DoubleBuffer count = CpuViews.doubles(n);
    CpuParallel.Body body =
        (i, slot) -> {
          DoubleBuffer in = from[i];
          DoubleBuffer result = to[i];
          double mean = si.get(i) / count.get(0);
          double factor = fi.get(i);
          for (int j = 0; j < columns; j++) {
            result.put(j, (in.get(j) - mean * sj.get(j)) * factor * fj.get(j));
          }
        };
    return () -> CpuParallel.run(rows, (long) rows * columns, body);
  }

  @Override
  public Kernel compileInverseDeviation(
      Tensor squares, Tensor sum, Tensor n, double power, Tensor factor) {
    int p = Math.toIntExact(squares.elements());
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
        out.put(j, constant ? 1 : Math.pow((k - 1) / spread, power / 2));
      }
    };
  }

  @Override
  public Kernel compileMultiply(Tensor a, Tensor b, Tensor out) {
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

  @Override
  public Kernel compileScaleByPower(Tensor x, Tensor scalar, double exponent) {
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

  @Override
  public Kernel compileVip(Tensor w, Tensor s, Tensor vip) {
    int components = w.shape().size(0);
    int p = w.shape().size(1);
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
}
