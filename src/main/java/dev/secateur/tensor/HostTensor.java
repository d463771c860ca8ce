package dev.secateur.tensor;

/**
 * Float elements in Java memory, row-major (PLAIN): how parameters are read from and written to
 * files. {@code data.length == shape.elements()}.
 */
public record HostTensor(Shape shape, float[] data) {
  public HostTensor {
    if (data.length != shape.elements()) {
      throw new IllegalArgumentException(data.length + " elements for shape " + shape);
    }
  }
}
