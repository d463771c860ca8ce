package dev.secateur.device;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/**
 * Memory taken from a device together and given back together. Tensors begin at 64-byte boundaries
 * and hold zeros. Closing twice is allowed.
 */
public interface Arena extends AutoCloseable {
  Tensor allocate(Shape shape, DType dtype, Layout layout);

  /** A zeroed PLAIN float tensor. */
  default Tensor floats(long... dims) {
    return allocate(Shape.of(dims), DType.F32, Layout.PLAIN);
  }

  /** A zeroed PLAIN double tensor. */
  default Tensor doubles(long... dims) {
    return allocate(Shape.of(dims), DType.F64, Layout.PLAIN);
  }

  /** Bytes held now. */
  long bytes();

  @Override
  void close();
}
