package dev.secateur.device.cuda;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/** Argument checks of the kernel factories. */
final class Require {
  private Require() {}

  static void that(boolean holds, String expected, Object... found) {
    if (!holds) {
      StringBuilder s = new StringBuilder(expected);
      for (int i = 0; i < found.length; i++) {
        s.append(i == 0 ? ", got " : ", ").append(found[i]);
      }
      throw new IllegalArgumentException(s.toString());
    }
  }

  static void type(String name, Tensor t, DType dtype) {
    that(t.dtype() == dtype, name + " must be " + dtype, t);
  }

  static void sameShape(String what, Tensor a, Tensor b) {
    that(a.shape().equals(b.shape()), what + " must have equal shapes", a, b);
  }

  static void sameLayout(String what, Tensor a, Tensor b) {
    that(a.layout() == b.layout(), what + " must have one layout", a, b);
  }

  /** Of any type, PLAIN. */
  static void plain(String name, Tensor t, DType dtype, int rank) {
    type(name, t, dtype);
    that(t.layout() == Layout.PLAIN, name + " must be PLAIN", t);
    that(t.shape().rank() == rank, name + " must have rank " + rank, t);
  }

  static void vector(String name, Tensor t, DType dtype, long length) {
    type(name, t, dtype);
    that(t.shape().equals(Shape.of(length)), name + " must have length " + length, t);
  }

  /** An activation's type: F32, F16 or BF16. */
  static void real(String name, Tensor t) {
    boolean known = t.dtype() == DType.F32 || sixteen(t);
    that(known, name + " must be F32, F16 or BF16", t);
  }

  /** An activation (N,C,H,W) of any type that activations have. */
  static void layer(String name, Tensor t) {
    real(name, t);
    that(t.shape().rank() == 4, name + " must be (N,C,H,W)", t);
  }

  /** One type of activations and one layout; shapes may differ. */
  static void alike(String what, Tensor a, Tensor b) {
    that(a.dtype() == b.dtype(), what + " must have one type", a, b);
    sameLayout(what, a, b);
  }

  /** Tensors of one type of activations, one shape and one layout. */
  static void congruent(String what, Tensor a, Tensor b) {
    real(what, a);
    sameShape(what, a, b);
    alike(what, a, b);
  }

  static boolean sixteen(Tensor t) {
    return t.dtype() == DType.F16 || t.dtype() == DType.BF16;
  }

  static boolean last(Tensor t) {
    return t.layout() == Layout.CHANNELS_LAST;
  }

  /** H x W of an activation, 1 for (N,C). */
  static long pixels(Tensor t) {
    return t.elements() / t.shape().dim(0) / t.shape().dim(1);
  }

  /** Elements from one channel to the next in the order of memory. */
  static long inner(Tensor t) {
    return last(t) ? 1 : pixels(t);
  }
}
