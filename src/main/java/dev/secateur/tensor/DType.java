package dev.secateur.tensor;

/** Element type of a {@link Tensor}. */
public enum DType {
  F32(4),
  F64(8),
  I32(4),
  U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of one element in bytes. */
  public int bytes() {
    return bytes;
  }
}
