package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static dev.secateur.conformance.Conformance.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Gathering, pooled features and products of matrices. */
interface MatrixConformance extends Conformance {

  @Test
  default void gatherAlongEachAxis() {
    for (Shape s :
        new Shape[] {Shape.of(17), Shape.of(7, 13), Shape.of(5, 3, 4), Shape.of(6, 7, 3, 5)}) {
      double[] x = new Values(1).uniform(s.elements());
      for (int axis = 0; axis < s.rank(); axis++) {
        int last = s.size(axis) - 1;
        for (int[] indices : new int[][] {{0}, {last}, {0, last}, {1, 2}, upTo(last)}) {
          Tensor y = plain(s.with(axis, indices.length).toArray());
          Tensor in = plain(x, s.toArray());
          assertNear(
              ReferenceMath.gather(x, s, axis, indices),
              result(device().moves().gather(in, axis, ints(indices, indices.length), y), y),
              0,
              s + " along " + axis);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 1",
    "2, 7, 5, 3",
    "3, 13, 1, 1",
    "5, 16, 8, 8",
    "2, 3, 33, 31",
    "9, 96, 14, 14"
  })
  default void poolFeatures(int n, int c, int h, int w) {
    Shape s = Shape.of(n, c, h, w);
    double[] x = values(c).uniform(s.elements(), -2, -1);
    int columns = c + 5;
    for (PoolSpec.Kind kind : new PoolSpec.Kind[] {PoolSpec.Kind.MAX, PoolSpec.Kind.AVERAGE}) {
      Tensor features = plain(n, columns);
      device().reductions().poolFeatures(kind, activation(s, x), c, features, 3).launch();
      double[] all = read(features);
      double[] got = new double[n * c];
      for (int i = 0; i < all.length; i++) {
        int column = i % columns - 3;
        if (column >= 0 && column < c) {
          got[i / columns * c + column] = all[i];
        } else {
          assertEquals(GARBAGE, all[i], "other columns stay");
        }
      }
      assertNear(ReferenceMath.poolFeatures(kind, x, s), got, FLOAT, kind.toString());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1",
    "7, 13, 5",
    "16, 32, 48",
    "1, 17, 3",
    "13, 1, 7",
    "5, 7, 1",
    "65, 130, 70"
  })
  default void gemm(int m, int n, int k) {
    Values draw = new Values(m);
    double[] a = draw.uniform(m * k);
    double[] b = draw.uniform(k * n);
    double[] c = draw.uniform(m * n);
    for (double[] factors : new double[][] {{1, 0}, {-0.5, 1}, {2, 0.25}, {0, 2}}) {
      double[] expected = ReferenceMath.gemm(m, factors[0], a, b, factors[1], c);
      for (int i = 0; i < 4; i++) {
        boolean ta = (i & 1) != 0;
        boolean tb = (i & 2) != 0;
        double[] storedA = ta ? ReferenceMath.transpose(a, m) : a;
        double[] storedB = tb ? ReferenceMath.transpose(b, k) : b;
        long[] da = ta ? new long[] {k, m} : new long[] {m, k};
        long[] db = tb ? new long[] {n, k} : new long[] {k, n};
        String what =
            "transposed " + ta + ", " + tb + ", factors " + factors[0] + ", " + factors[1];
        Tensor f = plain(c, m, n);
        device()
            .matrices()
            .gemm(ta, tb, factors[0], plain(storedA, da), plain(storedB, db), factors[1], f)
            .launch();
        assertNear(expected, read(f), FLOAT, "F32 " + what);
        Tensor d = doubles(c, m, n);
        device()
            .matrices()
            .gemm(ta, tb, factors[0], doubles(storedA, da), doubles(storedB, db), factors[1], d)
            .launch();
        assertNear(expected, read(d), DOUBLE, "F64 " + what);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 13", "33, 16", "1, 65", "20, 130", "3, 300"})
  default void syrk(int n, int p) {
    Values draw = new Values(p);
    double[] a = draw.uniform(n * p);
    double[] at = ReferenceMath.transpose(a, n);
    double[] half = draw.uniform(p * p);
    double[] c = ReferenceLayers.add(half, ReferenceMath.transpose(half, p));
    for (double[] factors : new double[][] {{1, 0}, {0.5, 1}, {-1, 0.25}}) {
      double[] expected = ReferenceMath.gemm(p, factors[0], at, a, factors[1], c);
      Tensor f = plain(c, p, p);
      device().matrices().syrk(factors[0], plain(a, n, p), factors[1], f).launch();
      double[] got = read(f);
      assertNear(expected, got, FLOAT, "F32");
      assertArrayEquals(ReferenceMath.transpose(got, p), got, "both triangles");
      Tensor d = doubles(c, p, p);
      device().matrices().syrk(factors[0], doubles(a, n, p), factors[1], d).launch();
      assertNear(expected, read(d), DOUBLE, "F64");
    }
  }

  @Test
  default void matrixShapesThatDoNotFitAreRefused() {
    Tensor a = plain(3, 4);
    Tensor b = plain(4, 5);
    Tensor c = plain(3, 5);
    assertRefused("inner", () -> device().matrices().gemm(false, true, 1, a, b, 0, c));
    assertRefused("outer", () -> device().matrices().gemm(false, false, 1, a, b, 0, plain(5, 3)));
    assertRefused("rank", () -> device().matrices().gemm(false, false, 1, plain(12), b, 0, c));
    assertRefused("types", () -> device().matrices().gemm(false, false, 1, a, b, 0, doubles(3, 5)));
    assertRefused("syrk", () -> device().matrices().syrk(1, a, 0, plain(3, 3)));
    assertRefused("syrk types", () -> device().matrices().syrk(1, a, 0, doubles(4, 4)));
    Tensor two = ints(new int[] {0, 1}, 2);
    assertRefused("axis", () -> device().moves().gather(a, 2, two, plain(3, 2)));
    assertRefused("count", () -> device().moves().gather(a, 1, two, plain(3, 3)));
    assertRefused("indices", () -> device().moves().gather(a, 1, plain(2), plain(3, 2)));
    assertRefused("gather", () -> device().moves().gather(a, 0, two, plain(3, 2)));
    Tensor x = activation(Shape.of(2, 7, 3, 3));
    PoolSpec.Kind max = PoolSpec.Kind.MAX;
    assertRefused(
        "columns",
        () -> device().reductions().poolFeatures(max, x, x.shape().dim(1), plain(2, 8), 2));
    assertRefused(
        "column",
        () -> device().reductions().poolFeatures(max, x, x.shape().dim(1), plain(2, 8), -1));
    assertRefused(
        "rows", () -> device().reductions().poolFeatures(max, x, x.shape().dim(1), plain(3, 8), 0));
    PoolSpec.Kind padded = PoolSpec.Kind.AVERAGE_INCLUDE_PADDING;
    assertRefused(
        "kind",
        () -> device().reductions().poolFeatures(padded, x, x.shape().dim(1), plain(2, 8), 0));
    Tensor last = activation(Shape.of(3, 4, 2, 2));
    if (last.layout() != Layout.PLAIN) {
      assertRefused("layout", () -> device().moves().gather(last, 0, two, plain(2, 4, 2, 2)));
    }
  }

  private static int[] upTo(int last) {
    int[] out = new int[last + 1];
    for (int i = 0; i <= last; i++) {
      out[i] = i;
    }
    return out;
  }
}
