package dev.secateur.device.cuda;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** 16-bit floating point in Java memory; rounds to the nearest, ties to even. */
final class Halves {
  private Halves() {}

  /** The bits of a float in F16 or BF16. */
  static short narrow(float v, DType type) {
    return type == DType.F16 ? toHalf(v) : toBfloat(v);
  }

  /** The value of F16 or BF16 bits. */
  static float widen(short bits, DType type) {
    return type == DType.F16 ? fromHalf(bits) : Float.intBitsToFloat(bits << 16);
  }

  private static short toBfloat(float v) {
    int bits = Float.floatToIntBits(v);
    return (short) (Float.isNaN(v) ? bits >>> 16 : (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
  }

  private static short toHalf(float v) {
    int sign = Float.floatToIntBits(v) >>> 16 & 0x8000;
    float magnitude = Math.abs(v);
    if (Float.isNaN(v)) {
      return 0x7e00;
    }
    if (magnitude >= 65520) {
      return (short) (sign | 0x7c00);
    }
    // the distance between neighbours is 2^(exponent - 10), 2^-24 at least
    int exponent = Math.max(Math.getExponent(magnitude), -14);
    int steps = (int) Math.rint(Math.scalb((double) magnitude, 10 - exponent));
    // 1024 steps to the next exponent: carries by itself
    return (short) (sign | ((exponent + 14 << 10) + steps));
  }

  private static float fromHalf(short bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    float magnitude =
        exponent == 31
            ? (fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN)
            : exponent == 0
                ? Math.scalb((float) fraction, -24)
                : Math.scalb((float) (1024 + fraction), exponent - 25);
    return bits < 0 ? -magnitude : magnitude;
  }

  /** Whether a tensor's elements are of 16 bits. */
  static boolean sixteen(Tensor t) {
    return t.dtype() == DType.F16 || t.dtype() == DType.BF16;
  }
}
