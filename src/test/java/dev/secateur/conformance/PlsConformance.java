package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static dev.secateur.conformance.Conformance.assertRefused;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Device;
import dev.secateur.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The operations behind PLS. */
interface PlsConformance extends Conformance {

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 13", "101, 499", "257, 301"})
  default void accumulate(int n, int p) {
    Values draw = values(n);
    double[] sum = draw.uniform(n * p);
    double[] f = draw.uniform(n * p);
    double[] d = draw.uniform(n * p);
    Tensor dst = doubles(sum, n, p);
    device().pls().accumulate(plain(f, n, p), dst).launch();
    sum = ReferenceLayers.add(sum, f);
    assertNear(sum, read(dst), DOUBLE, "F32");
    device().pls().accumulate(doubles(d, n, p), dst).launch();
    device().pls().accumulate(doubles(d, n, p), dst).launch();
    sum = ReferenceLayers.add(ReferenceLayers.add(sum, d), d);
    assertNear(sum, read(dst), DOUBLE, "F64");
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 13", "300, 257", "5, 4000"})
  default void accumulateFeatures(int n, int p) {
    Values draw = values(p);
    int q = 5;
    double[] shift = draw.uniform(p);
    double[] sums = draw.uniform(q * p);
    double[] counts = draw.uniform(q);
    double[] squares = draw.uniform(p);
    Tensor ts = doubles(sums, q, p);
    Tensor tc = doubles(counts, q);
    Tensor tq = doubles(squares, p);
    for (int round = 0; round < 2; round++) {
      double[] x = draw.uniform(n * p);
      int[] labels = new int[n];
      for (int i = 0; i < n; i++) {
        labels[i] = i * 7 % (q + 2) - 1 - i % 2; // some below 0, and an order that is none
      }
      Tensor out = plain(draw.uniform(n * p), n, p);
      double[] expected = ReferencePls.accumulateFeatures(x, labels, shift, sums, counts, squares);
      device()
          .pls()
          .accumulateFeatures(plain(x, n, p), ints(labels, n), plain(shift, p), out, ts, tc, tq)
          .launch();
      assertNear(expected, read(out), FLOAT, "out");
      assertNear(sums, read(ts), FLOAT, "sums");
      assertNear(counts, read(tc), DOUBLE, "counts");
      assertNear(squares, read(tq), FLOAT, "squares");
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 13", "64, 499"})
  default void pairDifferences(int pairs, int p) {
    double[] x = values(p).uniform(2 * pairs * p);
    double[] expected = new double[pairs * p];
    for (int i = 0; i < expected.length; i++) {
      int first = i / p * 2 * p + i % p;
      expected[i] = Math.abs(x[first] - x[first + p]);
    }
    Tensor out = plain(values(2).uniform(pairs * p), pairs, p);
    device().pls().pairDifferences(plain(x, 2 * pairs, p), out).launch();
    assertNear(expected, read(out), FLOAT, "out");
  }

  @Test
  default void multiply() {
    double[] a = values(1).uniform(5003);
    double[] b = values(2).uniform(5003);
    double[] expected = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      expected[i] = a[i] * b[i];
    }
    Tensor ta = doubles(a, a.length);
    Tensor tb = doubles(b, b.length);
    Tensor out = doubles(a.length);
    assertNear(expected, result(device().pls().multiply(ta, tb, out), out), DOUBLE, "out");
    device().pls().multiply(ta, tb, ta).launch();
    assertNear(expected, read(ta), DOUBLE, "in place");
  }

  /** A = Vᵀ diag(e) V with orthonormal rows V and ascending e; also of a multiple eigenvalue. */
  @ParameterizedTest
  @CsvSource({"1, 1", "2, 2", "13, 40", "33, 7", "64, 64"})
  default void eigenSymmetric(int n, int rank) {
    double[] b = values(n).uniform(rank * n);
    double[] zeros = new double[n * n];
    double[] a = ReferenceMath.gemm(n, 1, ReferenceMath.transpose(b, rank), b, 0, zeros);
    double norm = Math.sqrt(Differences.dot(a, a));
    Tensor vectors = doubles(a, n, n);
    Tensor values = doubles(n);
    device().matrices().eigenSymmetric(vectors, values).launch();
    double[] v = read(vectors);
    double[] e = read(values);
    double[] vt = ReferenceMath.transpose(v, n);
    double[] identity = new double[n * n];
    double[] scaled = new double[n * n];
    for (int i = 0; i < n; i++) {
      identity[i * n + i] = 1;
      assertTrue(i == 0 || e[i - 1] <= e[i], "ascending at " + i);
      for (int j = 0; j < n; j++) {
        scaled[i * n + j] = e[i] * v[i * n + j];
      }
    }
    assertNear(identity, ReferenceMath.gemm(n, 1, v, vt, 0, zeros), 1e-11, "orthonormal");
    assertTrue(norm > 0, "not nothing");
    assertNear(a, ReferenceMath.gemm(n, 1, vt, scaled, 0, zeros), 1e-11, "A");
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 13", "13, 1", "257, 300"})
  default void standardize(int rows, int columns) {
    Values draw = values(rows);
    double[] m = draw.uniform(rows * columns);
    double[] sumI = draw.uniform(rows);
    double[] sumJ = draw.uniform(columns);
    double[] factorI = draw.uniform(rows);
    double[] factorJ = draw.uniform(columns);
    double[] expected = ReferencePls.standardize(m, sumI, sumJ, 7, factorI, factorJ);
    Tensor in = doubles(m, rows, columns);
    Tensor out = doubles(rows, columns);
    for (Tensor to : new Tensor[] {out, in}) {
      device()
          .pls()
          .standardize(
              in,
              doubles(sumI, rows),
              doubles(sumJ, columns),
              doubles(new double[] {7}, 1),
              doubles(factorI, rows),
              doubles(factorJ, columns),
              to)
          .launch();
      assertNear(expected, read(to), DOUBLE, to == in ? "in place" : "out");
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 1, 1", "5, 7, 1", "40, 13, 1", "40, 13, 0.5", "40, 13, 0"})
  default void inverseDeviation(int rows, int columns, double power) {
    double[] a = values(columns).uniform(rows * columns, -1, 2);
    for (int i = 0; i < rows; i++) {
      a[i * columns] = columns == 1 ? a[i] : 0.75; // the first column is constant
    }
    double[] sum = new double[columns];
    double[] squares = new double[columns];
    for (int i = 0; i < a.length; i++) {
      sum[i % columns] += a[i];
      squares[i % columns] += a[i] * a[i];
    }
    Tensor factor = doubles(columns);
    device()
        .pls()
        .inverseDeviation(
            doubles(squares, columns),
            doubles(sum, columns),
            doubles(new double[] {rows}, 1),
            power,
            factor)
        .launch();
    assertNear(ReferencePls.inverseDeviation(a, rows, power), read(factor), 1e-9, "factor");
  }

  @Test
  default void scaleByPower() {
    double[] x = values(1).uniform(5003);
    for (double exponent : new double[] {-0.5, 1, -1, 2}) {
      double[] expected = x.clone();
      for (int i = 0; i < x.length; i++) {
        expected[i] *= Math.pow(0.7, exponent);
      }
      Tensor t = doubles(x, x.length);
      device().pls().scaleByPower(t, doubles(new double[] {0.7}, 1), exponent).launch();
      assertNear(expected, read(t), DOUBLE, "exponent " + exponent);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 17", "2, 7", "5, 1301"})
  default void vip(int components, int p) {
    Values draw = values(p);
    double[] w = draw.uniform(components * p);
    double[] s = draw.uniform(components, 0.1, 3);
    Tensor vip = plain(p);
    assertNear(
        ReferencePls.vip(w, s),
        result(device().pls().vip(doubles(w, components, p), doubles(s, components), vip), vip),
        FLOAT,
        "vip");
  }

  @Test
  default void plsShapesThatDoNotFitAreRefused() {
    Tensor f = plain(3, 4);
    Tensor d = doubles(3, 4);
    Tensor one = doubles(1);
    Tensor three = doubles(3);
    Tensor four = doubles(4);
    assertRefused("accumulate", () -> device().pls().accumulate(f, doubles(4, 3)));
    assertRefused("accumulate into F32", () -> device().pls().accumulate(f, plain(3, 4)));
    Tensor l = ints(new int[3], 3);
    Tensor by = plain(4);
    Device v = device();
    Tensor two = ints(new int[2], 2);
    assertRefused("labels", () -> v.pls().accumulateFeatures(f, two, by, f, d, three, four));
    assertRefused(
        "label type", () -> v.pls().accumulateFeatures(f, plain(3), by, f, d, three, four));
    assertRefused("shift", () -> v.pls().accumulateFeatures(f, l, plain(3), f, d, three, four));
    assertRefused("pairs", () -> v.pls().pairDifferences(plain(3, 2), plain(1, 2)));
    assertRefused("columns", () -> v.pls().pairDifferences(plain(4, 2), plain(2, 3)));
    assertRefused("out", () -> v.pls().accumulateFeatures(f, l, by, plain(4, 3), d, three, four));
    assertRefused(
        "sums", () -> v.pls().accumulateFeatures(f, l, by, f, doubles(3, 3), three, four));
    assertRefused("counts", () -> v.pls().accumulateFeatures(f, l, by, f, d, four, four));
    assertRefused("squares", () -> v.pls().accumulateFeatures(f, l, by, f, d, three, three));
    assertRefused("factors", () -> v.pls().multiply(four, three, four));
    assertRefused("product", () -> v.pls().multiply(four, four, three));
    assertRefused("not square", () -> device().matrices().eigenSymmetric(d, three));
    assertRefused("values", () -> device().matrices().eigenSymmetric(doubles(3, 3), four));
    assertRefused("eigen of F32", () -> device().matrices().eigenSymmetric(plain(3, 3), three));
    assertRefused("sums", () -> device().pls().standardize(d, four, four, one, three, four, d));
    assertRefused(
        "factors", () -> device().pls().standardize(d, three, four, one, three, three, d));
    assertRefused("n", () -> device().pls().standardize(d, three, four, three, three, four, d));
    assertRefused(
        "out", () -> device().pls().standardize(d, three, four, one, three, four, doubles(4, 3)));
    assertRefused("sum", () -> device().pls().inverseDeviation(three, four, one, 1, three));
    assertRefused("factor", () -> device().pls().inverseDeviation(three, three, one, 1, four));
    assertRefused("scalar", () -> device().pls().scaleByPower(d, three, 1));
    assertRefused("scaled F32", () -> device().pls().scaleByPower(f, one, 1));
    assertRefused("s", () -> device().pls().vip(d, four, plain(4)));
    assertRefused("vip", () -> device().pls().vip(d, three, plain(3)));
    assertRefused("vip of F64", () -> device().pls().vip(d, three, four));
  }
}
