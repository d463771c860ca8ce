// 16-bit floating point, by integers: independent of the GPU's instructions and of the kernels'.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace emu {

inline float fromHalf(uint16_t h) {
  int exponent = h >> 10 & 31, fraction = h & 1023;
  double v = exponent == 31 ? (fraction ? NAN : INFINITY)
             : exponent == 0 ? std::ldexp(double(fraction), -24)
                             : std::ldexp(double(fraction + 1024), exponent - 25);
  return float(h & 0x8000 ? -v : v);
}

/// To nearest, ties to even; beyond 65504 (and its rounding) infinity.
inline uint16_t toHalf(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint16_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;  // 65536 and more
  if (magnitude < 0x38800000) {                       // below 2^-14: a multiple of 2^-24
    float v;
    memcpy(&v, &magnitude, 4);
    return sign | uint16_t(std::nearbyint(std::ldexp(double(v), 24)));
  }
  uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);  // may carry into infinity
  return sign | uint16_t((rounded >> 13) - (112 << 10));
}

inline float fromBfloat(uint16_t b) {
  uint32_t bits = uint32_t(b) << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

inline uint16_t toBfloat(float f) {
  if (std::isnan(f)) return 0x7fc0;
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint32_t low = bits & 0xffff, high = bits >> 16;
  if (low > 0x8000 || (low == 0x8000 && (high & 1))) high++;
  return uint16_t(high);
}

/// An element in memory, computed with as float.
template <uint16_t (*To)(float), float (*From)(uint16_t)>
struct Short {
  uint16_t bits;
  Short() = default;
  explicit Short(double v) : bits(To(float(v))) {}
  operator float() const { return From(bits); }
};
typedef Short<toHalf, fromHalf> Half;
typedef Short<toBfloat, fromBfloat> Bfloat;

/// A float cut to TF32's 10 bits of fraction, to nearest.
inline float toTf32(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  if ((bits & 0x7f800000) == 0x7f800000) return f;
  bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;
  memcpy(&f, &bits, 4);
  return f;
}

}  // namespace emu
