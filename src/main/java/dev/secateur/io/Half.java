package dev.secateur.io;

/** IEEE 754 binary16, as files hold it; Java knows it from version 20 on. */
public final class Half {
  private Half() {}

  /** The same number as a float. */
  public static float toFloat(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      float small = fraction * 0x1p-24f;
      return sign == 0 ? small : -small;
    }
    int e = exponent == 31 ? 255 : exponent + 112;
    return Float.intBitsToFloat(sign | e << 23 | fraction << 13);
  }
}
