package dev.secateur.tensor;

/** Element type of a {@link Tensor}. */
public enum DType {
  F32(4),
  F64(8),
  I32(4),
  U8(1),
  /** IEEE half precision: 5 bits of exponent, 10 of fraction. */
  F16(2),
  /** The upper half of an F32: 8 bits of exponent, 7 of fraction. */
  BF16(2);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of one element in bytes. */
  public int bytes() {
    return bytes;
  }
}
