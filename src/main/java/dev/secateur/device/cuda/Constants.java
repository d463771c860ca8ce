package dev.secateur.device.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;

/** Scalars in host memory outside of the Java heap, as the libraries read alpha and beta. */
final class Constants {
  static final Pointer ONE = single(1);
  static final Pointer ZERO = single(0);

  private Constants() {}

  static Pointer single(float value) {
    ByteBuffer b = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
    return Pointer.to(b.putFloat(0, value));
  }

  static Pointer of(double value) {
    ByteBuffer b = ByteBuffer.allocateDirect(Double.BYTES).order(ByteOrder.nativeOrder());
    return Pointer.to(b.putDouble(0, value));
  }
}
