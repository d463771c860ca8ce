package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertNear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.Kernel;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.Targets;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The network's two ends and the step: image input, softmax, cross-entropy, SGD. */
interface LossConformance extends Conformance {

  @ParameterizedTest
  @CsvSource({"1, 1, 1, 1, 0", "3, 3, 5, 7, 2", "2, 1, 8, 8, 4", "5, 13, 4, 3, 1", "2, 3, 9, 6, 0"})
  default void imageInput(int n, int c, int h, int w, int padding) {
    Shape s = Shape.of(n, c, h, w);
    Values draw = values(s.hashCode());
    byte[] pixels = draw.bytes(s.elements());
    int[] crops = draw.ints(3 * n, 0, 2 * padding + 1);
    for (int i = 0; i < n; i++) {
      crops[3 * i + 2] = i % 2;
    }
    if (n > 2) {
      crops[0] = 0;
      crops[1] = 2 * padding;
      crops[3] = 2 * padding;
      crops[4] = 0;
    }
    int[] centre = new int[3 * n];
    for (int i = 0; i < n; i++) {
      centre[3 * i] = padding;
      centre[3 * i + 1] = padding;
    }
    for (long[] dims : new long[][] {{c}, {c, h, w}}) {
      double[] scale = draw.uniform(Shape.of(dims).elements());
      double[] shift = draw.uniform(scale.length);
      Tensor y = activation(s);
      Tensor ts = plain(scale, dims);
      Tensor tb = plain(shift, dims);
      Kernel moved =
          device()
              .moves()
              .imageInput(bytes(pixels, s), Optional.of(ints(crops, n, 3)), padding, ts, tb, y);
      assertNear(
          ReferenceMath.imageInput(pixels, s, crops, padding, scale, shift),
          result(moved, y),
          layer(),
          "crops, scale of rank " + dims.length);
      Kernel still =
          device().moves().imageInput(bytes(pixels, s), Optional.empty(), padding, ts, tb, y);
      assertNear(
          ReferenceMath.imageInput(pixels, s, centre, padding, scale, shift),
          result(still, y),
          layer(),
          "no crops, scale of rank " + dims.length);
      Shape wide = s.with(1, c + 5);
      Tensor more = activation(wide);
      Kernel behind =
          device()
              .moves()
              .imageInput(bytes(pixels, s), Optional.of(ints(crops, n, 3)), padding, ts, tb, more);
      assertNear(
          ReferenceLayers.shortcut(
              ReferenceMath.imageInput(pixels, s, crops, padding, scale, shift), s, 1, 0, wide),
          result(behind, more),
          layer(),
          "zeros behind, scale of rank " + dims.length);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 10", "7, 13", "33, 1000"})
  default void softmax(int n, int k) {
    for (double scale : new double[] {1, 300}) {
      double[] x = values(k).uniform(n * k, -scale, scale);
      Tensor y = plain(n, k);
      double[] expected = ReferenceLoss.softmax(x, k);
      assertNear(expected, result(device().norms().softmax(plain(x, n, k), y), y), FLOAT, "y");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 10, 0, false",
    "7, 13, 0, false",
    "7, 13, 0.1, true",
    "5, 3, 0.25, true",
    "16, 10, 0, true",
    "3, 1, 0, false",
    "17, 1000, 0.1, true"
  })
  default void crossEntropy(int n, int k, float smoothing, boolean ignoring) {
    Shape s = Shape.of(n, k);
    Values draw = values(n);
    double[] x = draw.distinct(s.elements(), 0);
    for (int i = 0; i < x.length && x.length > 200; i++) {
      x[i] /= 32;
    }
    int[] labels = draw.ints(n, 0, k);
    for (int i = 0; i < n && ignoring; i += 3) {
      labels[i] = -1 - i;
    }
    double[] once = ReferenceLoss.metrics(x, s, labels, smoothing);
    Tensor metrics = doubles(new double[] {1, 2, 3, 4}, 4);
    Tensor logits = plain(x, n, k);
    Tensor tl = ints(labels, n);
    Tensor dlogits = plain(n, k);
    device().training().crossEntropy(logits, tl, smoothing, metrics, Optional.empty()).launch();
    assertMetrics(once, 1, read(metrics));
    Kernel kernel =
        device().training().crossEntropy(logits, tl, smoothing, metrics, Optional.of(dlogits));
    double[] got = result(kernel, dlogits);
    assertMetrics(once, 3, read(metrics));
    assertArrayEquals(x, read(logits), "the logits stay");
    if (x.length < 500) {
      double[] gradient =
          Differences.gradient(
              v -> Arrays.stream(ReferenceLoss.losses(v, s, labels, smoothing)).sum() / once[3], x);
      assertNear(gradient, got, GRADIENT, "dlogits");
    } else {
      double[] p = ReferenceLoss.softmax(x, k);
      for (int i = 0; i < p.length; i++) {
        int label = labels[i / k];
        double target = (i % k == label ? 1 - smoothing : 0) + (double) smoothing / k;
        p[i] = label < 0 ? 0 : (p[i] - target) / once[3];
      }
      assertNear(p, got, FLOAT, "dlogits");
    }
    for (int i = 0; i < got.length; i++) {
      if (labels[i / k] < 0) {
        assertNear(new double[1], new double[] {got[i]}, 0, "a row that does not count");
      }
    }
  }

  /** A batch of padding only leaves the metrics and gives no gradient, rather than NaN. */
  @Test
  default void crossEntropyOfNoRows() {
    Tensor metrics = doubles(new double[] {1, 2, 3, 4}, 4);
    Tensor dlogits = plain(2, 3);
    device()
        .training()
        .crossEntropy(
            plain(new double[6], 2, 3),
            ints(new int[] {-1, -1}, 2),
            0.1f,
            metrics,
            Optional.of(dlogits))
        .launch();
    assertArrayEquals(new double[] {1, 2, 3, 4}, read(metrics));
    assertArrayEquals(new double[6], read(dlogits));
  }

  /** Against the formula in double precision, and its finite differences. */
  @ParameterizedTest
  @CsvSource({"1, 3", "5, '2,9'", "4, '1,2,17'", "3, '5000,9001'"})
  default void imitation(int n, String cuts) {
    int[] ends = Arrays.stream(cuts.split(",")).mapToInt(Integer::parseInt).toArray();
    int k = ends[ends.length - 1];
    Values draw = values(n * k);
    double[] x = draw.uniform(n * k, -2, 2);
    double[] r = draw.uniform(n * k, -2, 2);
    int[] labels = new int[n];
    labels[n - 1] = n > 3 ? -1 : 0;
    int counted = n > 3 ? n - 1 : n;
    for (int i = 0; i < k; i++) { // a row that is near, so that something of it is kept
      x[i] = (float) (r[i] + 0.1 * x[i]);
    }
    Tensor metrics = doubles(new double[] {1, 2, 3, 4}, 4);
    Tensor gradient = plain(n, k);
    Kernel kernel =
        device()
            .training()
            .imitation(
                plain(x, n, k),
                plain(r, n, k),
                ints(labels, n),
                ints(ends, ends.length),
                metrics,
                Optional.of(gradient));
    double[] got = result(kernel, gradient);
    double[] losses = ReferenceLoss.imitation(x, r, ends);
    double sum = Arrays.stream(losses).limit(counted).sum();
    double kept = Arrays.stream(losses).limit(counted).map(l -> Math.max(0, 1 - l)).sum();
    assertTrue(kept > 0.5, "something is kept");
    double[] once = {sum, kept, kept, counted};
    double[] twice = {1 + 2 * sum, 2 + 2 * kept, 3 + 2 * kept, 4 + 2 * counted};
    assertNear(twice, read(metrics), FLOAT, "metrics, launched twice");
    if (x.length < 500) {
      double[] wanted =
          Differences.gradient(
              v ->
                  Arrays.stream(ReferenceLoss.imitation(v, r, ends)).limit(counted).sum() / once[3],
              x);
      assertNear(wanted, got, GRADIENT, "gradient");
    }
    for (int i = counted * k; i < n * k; i++) {
      assertEquals(0, got[i], "a row that does not count");
    }
  }

  /** A reference of zeros is no division by zero. */
  @Test
  default void imitationOfNothing() {
    Tensor metrics = doubles(new double[4], 4);
    Tensor gradient = plain(1, 2);
    Kernel kernel =
        device()
            .training()
            .imitation(
                plain(new double[2], 1, 2),
                plain(new double[2], 1, 2),
                ints(new int[1], 1),
                ints(new int[] {2}, 1),
                metrics,
                Optional.of(gradient));
    assertArrayEquals(new double[2], result(kernel, gradient));
    assertArrayEquals(new double[] {0, 2, 2, 2}, read(metrics), "launched twice");
  }

  @Test
  default void crossEntropyOfLargeLogits() {
    double[] x = {1000, 0, -1000, -1000, 0, 1000};
    Shape s = Shape.of(2, 3);
    int[] labels = {0, 0};
    Tensor metrics = arena().doubles(4);
    device()
        .training()
        .crossEntropy(plain(x, 2, 3), ints(labels, 2), 0, metrics, Optional.empty())
        .launch();
    assertNear(ReferenceLoss.metrics(x, s, labels, 0), read(metrics), FLOAT, "metrics");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, false, 0, 1",
    "13, 0.9, false, 0, 13",
    "13, 0.9, true, 0.01, 0",
    "13, 0.9, false, 0.1, 5",
    "5003, 0.9, true, 0.0005, 5003",
    "70001, 0.5, false, 0.1, 40960",
    "70001, 0.5, true, 0.1, 40961"
  })
  default void sgd(int n, float momentum, boolean nesterov, float decay, int decayed) {
    Values draw = values(n);
    double[] p = draw.uniform(n);
    double[] v = draw.uniform(n);
    Tensor tp = plain(p, n);
    Tensor tv = plain(v, n);
    Tensor tg = plain(n);
    Tensor lr = plain(1);
    SgdSpec spec = new SgdSpec(momentum, nesterov, decay, decayed);
    Kernel k = device().training().sgd(tp, tg, tv, lr, spec);
    for (float rate : new float[] {0.1f, 0.025f, 1}) {
      double[] g = draw.uniform(n);
      device().moves().copy(plain(g, n), tg).launch();
      device().upload(new float[] {rate}, lr);
      k.launch();
      ReferenceLoss.sgd(p, g, v, rate, momentum, nesterov, decay, decayed);
      assertNear(p, read(tp), FLOAT, "p");
      assertNear(v, read(tv), FLOAT, "velocity");
      assertArrayEquals(g, read(tg), "the gradient stays");
    }
  }

  /** Mixed labels and a teacher, against finite differences of the formulas. */
  @ParameterizedTest
  @CsvSource({
    "1, 3, 0, false, 4, 0.9",
    "7, 13, 0.1, true, 4, 0.9",
    "5, 10, 0, true, 1, 0.5",
    "6, 10, 0.2, true, 0, 0",
    "3, 4, 0, false, 2, 1"
  })
  default void crossEntropyOfOtherTargets(
      int n, int k, float smoothing, boolean mixed, float temperature, float weight) {
    Values draw = values(n * k);
    double[] x = draw.distinct((long) n * k, 0);
    double[] teacher = draw.uniform(n * k, -3, 3);
    int[] labels = draw.ints(n, 0, k);
    int[] seconds = draw.ints(n, 0, k);
    double[] shares = draw.uniform(n, 0, 1);
    labels[n - 1] = n > 3 ? -1 : labels[n - 1];
    Targets targets =
        new Targets(
            smoothing,
            mixed
                ? Optional.of(new Targets.Mix(ints(seconds, n), plain(shares, n)))
                : Optional.empty(),
            temperature > 0
                ? Optional.of(new Targets.Teacher(plain(teacher, n, k), temperature, weight))
                : Optional.empty());
    int counted = (int) Arrays.stream(labels).filter(l -> l >= 0).count();
    java.util.function.ToDoubleFunction<double[]> loss =
        v ->
            ReferenceLoss.soft(
                v,
                k,
                labels,
                smoothing,
                mixed ? Optional.of(seconds) : Optional.empty(),
                shares,
                teacher,
                temperature,
                weight);
    Tensor metrics = arena().doubles(4);
    Tensor dlogits = plain(n, k);
    Kernel kernel =
        device()
            .training()
            .crossEntropy(plain(x, n, k), ints(labels, n), targets, metrics, Optional.of(dlogits));
    double[] got = result(kernel, dlogits);
    assertNear(
        new double[] {2 * loss.applyAsDouble(x)}, // launched twice
        new double[] {read(metrics)[0]},
        FLOAT,
        "loss");
    assertNear(
        Differences.gradient(v -> loss.applyAsDouble(v) / counted, x), got, GRADIENT, "dlogits");
  }

  @ParameterizedTest
  @CsvSource({"1", "13", "70001"})
  default void average(int n) {
    Values draw = values(n);
    double[] a = draw.uniform(n);
    Tensor average = plain(a, n);
    Tensor x = plain(n);
    Tensor share = plain(1);
    Kernel k = device().training().average(average, x, share);
    for (float s : new float[] {1, 0.5f, 1f / 3}) {
      double[] v = draw.uniform(n);
      device().moves().copy(plain(v, n), x).launch();
      device().upload(new float[] {s}, share);
      k.launch();
      for (int i = 0; i < n; i++) {
        a[i] += s * (v[i] - a[i]);
      }
      assertNear(a, read(average), FLOAT, "average");
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0.9, 0.999, 0, 1", "13, 0.9, 0.99, 0.1, 5", "70001, 0.8, 0.999, 0.01, 40961"})
  default void adamW(int n, float beta1, float beta2, float decay, int decayed) {
    Values draw = values(n);
    double[] p = draw.uniform(n);
    double[] mean = new double[n];
    double[] square = new double[n];
    Tensor tp = plain(p, n);
    Tensor tg = plain(n);
    Tensor tm = plain(mean, n);
    Tensor tv = plain(square, n);
    Tensor lr = plain(1);
    AdamSpec spec = new AdamSpec(beta1, beta2, 1e-8f, decay, decayed);
    Kernel k = device().training().adamW(tp, tg, tm, tv, lr, arena().floats(3), spec);
    int t = 0;
    for (float rate : new float[] {0.1f, 0.025f, 0.01f}) {
      double[] g = draw.uniform(n);
      device().moves().copy(plain(g, n), tg).launch();
      device().upload(new float[] {rate}, lr);
      k.launch();
      t++;
      for (int i = 0; i < n; i++) {
        p[i] -= i < decayed ? rate * decay * p[i] : 0;
        mean[i] = beta1 * mean[i] + (1 - beta1) * g[i];
        square[i] = beta2 * square[i] + (1 - beta2) * g[i] * g[i];
        double m = mean[i] / (1 - Math.pow(beta1, t));
        double v = square[i] / (1 - Math.pow(beta2, t));
        p[i] -= rate * m / (Math.sqrt(v) + 1e-8);
      }
      assertNear(p, read(tp), 10 * FLOAT, "p");
      assertNear(mean, read(tm), FLOAT, "mean");
      assertNear(square, read(tv), FLOAT, "square");
    }
  }

  /** Rows of all lengths with gaps between them, one of zeros and one of numbers next to none. */
  @ParameterizedTest
  @CsvSource({"LASSO, 1", "LASSO, 3", "LASSO, 9001", "RIDGE, 1", "RIDGE, 9001"})
  default void groupPenalty(GroupPenalty kind, int longest) {
    int[] lengths = {longest, 1, 5, 0, 33, 257, 1, 4, longest};
    int[] rows = new int[2 * lengths.length];
    int n = 3;
    for (int r = 0; r < lengths.length; r++) {
      rows[2 * r] = n;
      rows[2 * r + 1] = lengths[r];
      n += lengths[r] + r % 3;
    }
    Values draw = values(longest);
    double[] p = draw.uniform(n);
    Arrays.fill(p, rows[4], rows[4] + 5, 0);
    Arrays.fill(p, rows[14], rows[14] + 4, 0x1p-140);
    double[] g = draw.uniform(n);
    double[] expected = g.clone();
    Tensor tp = plain(p, n);
    Tensor tg = plain(g, n);
    Tensor strengths = plain(lengths.length);
    Kernel k =
        device().training().groupPenalty(tp, tg, ints(rows, lengths.length, 2), strengths, kind);
    for (int step = 0; step < 2; step++) {
      double[] s = draw.uniform(lengths.length, 0, 2);
      device().moves().copy(plain(s, lengths.length), strengths).launch();
      k.launch();
      for (int r = 0; r < lengths.length; r++) {
        double square = 0;
        for (int i = rows[2 * r]; i < rows[2 * r] + lengths[r]; i++) {
          square += p[i] * p[i];
        }
        double by = kind == GroupPenalty.RIDGE ? 1 : square == 0 ? 0 : Math.sqrt(square);
        for (int i = rows[2 * r]; i < rows[2 * r] + lengths[r] && by > 0; i++) {
          expected[i] += s[r] * p[i] / by;
        }
      }
      assertNear(expected, read(tg), FLOAT, "gradient");
    }
    assertArrayEquals(p, read(tp), "the parameters stay");
  }

  private static void assertMetrics(double[] once, int times, double[] got) {
    double[] expected = new double[4];
    for (int i = 0; i < 4; i++) {
      expected[i] = i + 1 + times * once[i];
    }
    assertNear(expected, got, FLOAT, "metrics");
    for (int i = 1; i < 4; i++) {
      assertNear(new double[] {expected[i]}, new double[] {got[i]}, 0, "count " + i);
    }
  }
}
