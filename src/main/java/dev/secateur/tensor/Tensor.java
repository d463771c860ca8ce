package dev.secateur.tensor;

/**
 * Elements on a device: a buffer, where in it they begin, and what they are. A value: it owns
 * nothing; the memory lives as long as the arena that it came from.
 *
 * @param buffer device memory
 * @param byteOffset where the first element lies in the buffer
 * @param shape logical extents (N, C, H, W for activations; K, C/g, R, S for convolution weights)
 */
public record Tensor(Buffer buffer, long byteOffset, Shape shape, DType dtype, Layout layout) {

  public long elements() {
    return shape.elements();
  }

  public long bytes() {
    return shape.elements() * dtype.bytes();
  }

  /** The same elements under another shape of as many elements; only of PLAIN tensors. */
  public Tensor reshape(Shape other) {
    if (layout != Layout.PLAIN || other.elements() != shape.elements()) {
      throw new IllegalArgumentException("cannot view " + this + " as " + other);
    }
    return new Tensor(buffer, byteOffset, other, dtype, Layout.PLAIN);
  }

  /** A PLAIN view of consecutive elements, beginning {@code offset} elements into this tensor. */
  public Tensor view(long offset, Shape other) {
    if (layout != Layout.PLAIN || offset < 0 || offset + other.elements() > shape.elements()) {
      throw new IllegalArgumentException("no view " + other + " at " + offset + " of " + this);
    }
    return new Tensor(buffer, byteOffset + offset * dtype.bytes(), other, dtype, Layout.PLAIN);
  }

  @Override
  public String toString() {
    return dtype + "[" + shape + (layout == Layout.PLAIN ? "]" : ", channels last]");
  }
}
