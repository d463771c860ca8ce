package dev.secateur.device;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/**
 * What a device demands of operands. Every operation's checks stand in its interface ({@link
 * Convolutions}, {@link Norms}, ...), made of these, and run before any device compiles it, so that
 * all devices refuse the same in the same words. All methods throw {@link IllegalArgumentException}
 * in one line: what was demanded, and what was found.
 *
 * @param type of activations, of convolution and linear weights, and of the biases beside them
 * @param layout of activations (N,C,H,W)
 * @param weights layout of convolution weights
 * @param multiple numbers of channels that are a multiple of it are computed fastest; what is
 *     compiled for the device may have zero channels behind its own (1: nothing is gained)
 */
public record Contract(DType type, Layout layout, Layout weights, int multiple) {

  /** Refuses unless {@code holds}. */
  public static void that(boolean holds, String expected, Object... found) {
    if (!holds) {
      StringBuilder s = new StringBuilder(expected);
      for (int i = 0; i < found.length; i++) {
        s.append(i == 0 ? ", got " : ", ").append(found[i]);
      }
      throw new IllegalArgumentException(s.toString());
    }
  }

  /** An order of elements that a shape can have: channels are the second of four axes. */
  public static void allocation(Shape shape, Layout layout) {
    boolean has = layout == Layout.PLAIN || shape.rank() == 4;
    that(has, layout + " must be the layout of four axes", shape);
  }

  /** A tensor of a type. */
  public static void type(String name, Tensor t, DType dtype) {
    that(t.dtype() == dtype, name + " must be " + dtype, t);
  }

  /** A tensor of a shape. */
  public static void shape(String name, Tensor t, Shape expected) {
    that(t.shape().equals(expected), name + " must be " + expected, t);
  }

  /** Two tensors of one type. */
  public static void sameType(String what, Tensor a, Tensor b) {
    that(a.dtype() == b.dtype(), what + " must have one type", a, b);
  }

  /** Two tensors of one shape. */
  public static void sameShape(String what, Tensor a, Tensor b) {
    that(a.shape().equals(b.shape()), what + " must have equal shapes", a, b);
  }

  /** Two tensors of one layout. */
  public static void sameLayout(String what, Tensor a, Tensor b) {
    that(a.layout() == b.layout(), what + " must have one layout", a, b);
  }

  /** A PLAIN tensor of a type and a number of axes. */
  public static void plain(String name, Tensor t, DType dtype, int rank) {
    type(name, t, dtype);
    that(t.layout() == Layout.PLAIN, name + " must be PLAIN", t);
    that(t.shape().rank() == rank, name + " must have rank " + rank, t);
  }

  /** A vector of a type and a length. */
  public static void vector(String name, Tensor t, DType dtype, long length) {
    type(name, t, dtype);
    that(t.shape().equals(Shape.of(length)), name + " must have length " + length, t);
  }

  /** Elements of a type, of any shape; one is a number that kernels read from the device. */
  public static void elements(String name, Tensor t, DType dtype, long count) {
    type(name, t, dtype);
    String many = count == 1 ? " must have one element" : " must have " + count + " elements";
    that(t.elements() == count, name + many, t);
  }

  /** F32 or F64: what sums and products of matrices are made of. */
  public static void floating(String name, Tensor t) {
    that(t.dtype() == DType.F32 || t.dtype() == DType.F64, name + " must be F32 or F64", t);
  }

  /** Of the type of activations, or F32. */
  private void real(String name, Tensor t) {
    that(t.dtype() == DType.F32 || t.dtype() == type, name + " must be F32 or " + type, t);
  }

  /** An activation (N,C,H,W). */
  public void image(String name, Tensor t) {
    type(name, t, type);
    that(t.shape().rank() == 4, name + " must be (N,C,H,W)", t);
    that(t.layout() == layout, name + " must be " + layout, t);
  }

  /** An activation (N,C,H,W), or (N,C), which is PLAIN and may be F32 as well: logits are. */
  public void channels(String name, Tensor t) {
    if (t.shape().rank() == 2) {
      real(name, t);
      plain(name, t, t.dtype(), 2);
    } else {
      that(t.shape().rank() == 4, name + " must be (N,C,H,W) or (N,C)", t);
      image(name, t);
    }
  }

  /** Weights of a convolution (K,C/g,R,S). */
  public void filters(String name, Tensor t) {
    type(name, t, type);
    that(t.shape().rank() == 4, name + " must be (K,C/g,R,S)", t);
    that(t.layout() == weights, name + " must be " + weights, t);
  }

  /** Activations, or F32 beside them, of one shape, any, and one layout and type. */
  public void alike(String what, Tensor a, Tensor b) {
    real(what, a);
    sameType(what, a, b);
    sameShape(what, a, b);
    sameLayout(what, a, b);
  }

  /** Activations (N,C,H,W) that differ in channels alone, or not at all. */
  void alikeButChannels(String what, Tensor a, Tensor b) {
    boolean fits = a.shape().with(1, 1).equals(b.shape().with(1, 1));
    that(fits, what + " must agree but in channels", a, b);
  }

  /** A tensor whose channels are at least so many. */
  static void firstChannels(String name, Tensor t, long channels) {
    boolean fits = channels > 0 && channels <= t.shape().dim(1);
    that(fits, name + " must have " + channels + " channels or more", t);
  }

  /** Activations (N,C,H,W) that differ in height and width alone, or not at all. */
  void alikeButSize(String what, Tensor a, Tensor b) {
    boolean fits = a.shape().with(2, 1).with(3, 1).equals(b.shape().with(2, 1).with(3, 1));
    that(fits, what + " must agree but in height and width", a, b);
  }

  /** A number (N,C,1,1) for each channel of an activation (N,C,H,W). */
  void perChannel(String name, Tensor t, Tensor of) {
    image(name, t);
    shape(name, t, Shape.of(of.shape().dim(0), of.shape().dim(1), 1, 1));
  }

  /** An upload of as many numbers into activations, weights or F32. */
  public void upload(int count, Tensor dst) {
    real("destination", dst);
    fits(count, dst);
  }

  /** An upload of as many integers. */
  public static void uploadIntegers(int count, Tensor dst) {
    type("destination", dst, DType.I32);
    fits(count, dst);
  }

  private static void fits(int count, Tensor dst) {
    that(count == dst.elements(), count + " elements must be as many as the destination's", dst);
  }

  /** An upload from staging memory, which is in PLAIN order. */
  public static void upload(HostBuffer src, Tensor dst) {
    int capacity = src.bytes().capacity();
    that(capacity >= dst.bytes(), capacity + " bytes of staging memory must hold the tensor", dst);
    that(dst.layout() == Layout.PLAIN, "the destination of staging memory must be PLAIN", dst);
  }

  /** A tensor that is read as numbers. */
  public void download(Tensor src) {
    boolean known = src.dtype() == DType.F32 || src.dtype() == DType.F64 || src.dtype() == type;
    that(known, "source must be F32, F64 or " + type, src);
  }
}
