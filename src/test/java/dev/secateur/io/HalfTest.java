package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class HalfTest {
  @Test
  void everyHalfComesBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float v = Half.toFloat((short) bits);
      short back = Half.ofFloat(v);
      assertTrue(Float.isNaN(v) ? Float.isNaN(Half.toFloat(back)) : back == (short) bits, "" + v);
    }
  }

  @Test
  void othersBecomeTheNearest() {
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < 200_000; i++) {
      float v = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(-26, 17)));
      if (Math.abs(v) < 65504) {
        short half = Half.ofFloat(v);
        double error = Math.abs(Half.toFloat(half) - (double) v);
        for (int next : new int[] {half - 1, half + 1}) {
          double other = Half.toFloat((short) next);
          assertTrue(Double.isNaN(other) || error <= Math.abs(other - v), v + " as " + half);
        }
      }
    }
    assertEquals(0x3c00, Half.ofFloat(1 + 0x1p-11f), "a tie goes to even");
    assertEquals(0x3c02, Half.ofFloat(1 + 3 * 0x1p-11f), "a tie goes to even");
    assertEquals(0x7c00, Half.ofFloat(65520));
    assertEquals(0x7bff, Half.ofFloat(65519));
  }

  @Test
  void bfloatsKeepTheUpperBits() {
    assertEquals(0x3f80, Half.bfloat(1 + 0x1p-8f), "a tie goes to even");
    assertEquals(0x3f82, Half.bfloat(1 + 3 * 0x1p-8f), "a tie goes to even");
    assertEquals((short) 0xbf80, Half.bfloat(-1));
    assertEquals(0x7fc0, Half.bfloat(Float.NaN));
  }
}
