package dev.secateur.io.onnx;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.Arrays;

/**
 * A tensor known while importing, row-major; extents may be 0. Its numbers are {@code floats} or,
 * where {@code whole}, {@code longs}; the other array is empty.
 */
record Constant(long[] dims, float[] floats, long[] longs, boolean whole) implements Value {

  static Constant of(long[] dims, float[] values) {
    return new Constant(dims, values, new long[0], false);
  }

  static Constant of(long[] dims, long[] values) {
    return new Constant(dims, new float[0], values, true);
  }

  static Constant vector(long... values) {
    return of(new long[] {values.length}, values);
  }

  int size() {
    return whole ? longs.length : floats.length;
  }

  double at(int i) {
    return whole ? longs[i] : floats[i];
  }

  /** Whole numbers, for shapes and axes. */
  long[] asLongs() {
    if (!whole) {
      throw new IllegalArgumentException("expected whole numbers, got floats");
    }
    return longs.clone();
  }

  /** The numbers as floats, not a copy where they are. */
  float[] asFloats() {
    if (!whole) {
      return floats;
    }
    float[] out = new float[longs.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = longs[i];
    }
    return out;
  }

  /** The one number that this is. */
  double scalar() {
    if (size() != 1) {
      throw new IllegalArgumentException("expected one number, got " + size());
    }
    return at(0);
  }

  /** As a parameter of the given shape, for the same number of elements. */
  HostTensor tensor(Shape shape) {
    if (shape.elements() != size()) {
      throw new IllegalArgumentException(size() + " numbers where " + shape + " are expected");
    }
    return new HostTensor(shape, asFloats());
  }

  /** A vector of {@code n} numbers; a single number stands for all. */
  float[] vector(int n) {
    float[] v = asFloats();
    if (v.length == n) {
      return v.clone();
    }
    if (v.length != 1) {
      throw new IllegalArgumentException(v.length + " numbers for " + n + " channels");
    }
    float[] out = new float[n];
    Arrays.fill(out, v[0]);
    return out;
  }

  Constant reshaped(long... to) {
    return new Constant(to, floats, longs, whole);
  }
}
