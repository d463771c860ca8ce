package dev.secateur.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Immutable extents of a tensor; every extent is positive. */
public final class Shape {
  private final long[] dims;

  private Shape(long[] dims) {
    for (long d : dims) {
      if (d <= 0) {
        throw new IllegalArgumentException("extents must be positive: " + Arrays.toString(dims));
      }
    }
    this.dims = dims;
  }

  public static Shape of(long... dims) {
    return new Shape(dims.clone());
  }

  public int rank() {
    return dims.length;
  }

  public long dim(int axis) {
    return dims[axis];
  }

  /** The extent of an axis as an int, for sizes that are known to be small. */
  public int size(int axis) {
    return Math.toIntExact(dims[axis]);
  }

  /** Number of elements. */
  public long elements() {
    long n = 1;
    for (long d : dims) {
      n = Math.multiplyExact(n, d);
    }
    return n;
  }

  /** The same shape with one extent replaced. */
  public Shape with(int axis, long extent) {
    long[] copy = dims.clone();
    copy[axis] = extent;
    return new Shape(copy);
  }

  public long[] toArray() {
    return dims.clone();
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  @Override
  public String toString() {
    return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining("x"));
  }
}
