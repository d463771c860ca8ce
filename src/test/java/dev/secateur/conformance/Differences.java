package dev.secateur.conformance;

import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;

/** Gradients by central finite differences, every element, in double precision. */
final class Differences {
  private static final double STEP = 1e-5;

  private Differences() {}

  /** Of the loss {@code <g, forward(x)>} by x. */
  static double[] gradient(UnaryOperator<double[]> forward, double[] x, double[] g) {
    return gradient(v -> dot(g, forward.apply(v)), x);
  }

  static double[] gradient(ToDoubleFunction<double[]> loss, double[] x) {
    double[] v = x.clone();
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      v[i] = x[i] + STEP;
      double above = loss.applyAsDouble(v);
      v[i] = x[i] - STEP;
      out[i] = (above - loss.applyAsDouble(v)) / (2 * STEP);
      v[i] = x[i];
    }
    return out;
  }

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
