package dev.secateur.device.cpu;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/** Argument checks of the kernel factories. */
final class Check {
  private Check() {}

  static void that(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  /** A tensor must have a shape. */
  static void shape(String what, Tensor t, Shape expected) {
    that(t.shape().equals(expected), what + " has shape " + t.shape() + ", expected " + expected);
  }

  static void shape(String what, Tensor t, long... expected) {
    shape(what, t, Shape.of(expected));
  }

  static void sameShape(String what, Tensor a, Tensor b) {
    that(a.shape().equals(b.shape()), what + ": shapes " + a.shape() + " and " + b.shape());
  }

  static void floats(String what, Tensor t) {
    that(t.dtype() == DType.F32, what + " is " + t + ", expected F32");
  }

  static void rank(String what, Tensor t, int rank) {
    that(t.shape().rank() == rank, what + " is " + t + ", expected " + rank + " axes");
  }

  /** A float activation (N,C,H,W), channels last. */
  static void activation(String what, Tensor t) {
    floats(what, t);
    rank(what, t, 4);
    that(Desc.channelsLast(t), what + " is " + t + ", expected channels last");
  }

  /** A float parameter, matrix or vector, PLAIN. */
  static void plain(String what, Tensor t) {
    floats(what, t);
    that(t.layout() == Layout.PLAIN, what + " is " + t + ", expected a plain tensor");
  }

  /** A float vector of n elements. */
  static void vector(String what, Tensor t, long n) {
    floats(what, t);
    shape(what, t, n);
  }

  /** A float activation (N,C,H,W), channels last, or (N,C). */
  static void channelsInnermost(String what, Tensor t) {
    if (t.shape().rank() == 2) {
      plain(what, t);
    } else {
      activation(what, t);
    }
  }

  /** Floats of one shape, element by element in one order. */
  static void sameOrder(String what, Tensor a, Tensor b) {
    floats(what, a);
    floats(what, b);
    sameShape(what, a, b);
    that(
        a.layout() == b.layout() || Desc.of(a).equals(Desc.of(b)),
        what + ": layouts of " + a + " and " + b + " differ");
  }
}
