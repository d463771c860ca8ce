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

  /** The nearest number that binary16 has, ties to even; infinite from 65520 on. */
  public static short ofFloat(float v) {
    int bits = Float.floatToIntBits(v);
    int sign = bits >>> 16 & 0x8000;
    int rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) {
      return (short) (sign | 0x7e00);
    }
    if (rest >= 0x477ff000) {
      return (short) (sign | 0x7c00);
    }
    if (rest < 0x38800000) { // below 2^-14 the steps are 2^-24
      return (short) (sign | (int) Math.rint(Math.abs(v) * 0x1p24));
    }
    int odd = rest >> 13 & 1;
    return (short) (sign | (rest + 0xfff + odd >> 13) - (112 << 10));
  }

  /** The nearest number that bfloat16 has, ties to even. */
  public static short bfloat(float v) {
    int bits = Float.floatToIntBits(v);
    return (short) (Float.isNaN(v) ? 0x7fc0 : bits + 0x7fff + (bits >> 16 & 1) >> 16);
  }
}
