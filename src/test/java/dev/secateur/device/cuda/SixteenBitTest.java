package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.math.BigDecimal;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rounding to 16 bits, in Java and by the kernels, against the list of all numbers there are. */
class SixteenBitTest {
  private static final int ALL = 1 << 16;

  private static DType type(Precision p) {
    return p == Precision.FP16 ? DType.F16 : DType.BF16;
  }

  /** The value of a bit pattern by the definition of the format. */
  private static double value(int bits, DType type) {
    int fractionBits = type == DType.F16 ? 10 : 7;
    int exponentBits = 15 - fractionBits;
    int bias = (1 << exponentBits - 1) - 1;
    int exponent = bits >> fractionBits & (1 << exponentBits) - 1;
    int fraction = bits & (1 << fractionBits) - 1;
    double sign = bits < 1 << 15 ? 1 : -1;
    if (exponent == (1 << exponentBits) - 1) {
      return fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    double significand = fraction / (double) (1 << fractionBits) + (exponent == 0 ? 0 : 1);
    return sign * Math.scalb(significand, Math.max(exponent, 1) - bias);
  }

  private static float[] copiedThroughTheDevice(Precision p, float[] values) {
    try (Device d = TestCuda.open(p);
        Arena arena = d.newArena()) {
      Tensor single = arena.floats(values.length);
      Tensor narrow = arena.allocate(Shape.of(values.length), type(p), Layout.PLAIN);
      Tensor back = arena.floats(values.length);
      d.upload(values, single);
      Kernel there = d.moves().copy(single, narrow);
      there.launch();
      d.moves().copy(narrow, back).launch();
      float[] got = d.downloadFloats(back);
      assertArrayEquals(got, d.downloadFloats(narrow), "Java reads what the kernel wrote");
      d.upload(values, narrow);
      assertArrayEquals(got, d.downloadFloats(narrow), "Java rounds as the kernel does");
      return got;
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FP16", "BF16"})
  void everyNumberIsKept(Precision p) {
    float[] all = new float[ALL];
    for (int i = 0; i < ALL; i++) {
      all[i] = (float) value(i, type(p));
    }
    assertArrayEquals(all, copiedThroughTheDevice(p, all));
  }

  /** To the nearest, and of two as near to the even one. */
  @ParameterizedTest
  @EnumSource(names = {"FP16", "BF16"})
  void othersGoToTheNearest(Precision p) {
    TreeMap<Double, Integer> numbers = new TreeMap<>();
    for (int i = 0; i < ALL / 2; i++) {
      double v = value(i, type(p));
      if (Double.isFinite(v)) {
        numbers.put(v, i);
      }
    }
    // beyond the largest: where the next number would be, there is infinity
    double largest = numbers.lastKey();
    double step = largest - numbers.lowerKey(largest);
    numbers.put(largest + step, numbers.get(largest) + 1);
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[200_000];
    for (int i = 0; i < values.length; i++) {
      int bits = random.nextInt(ALL / 2 - 1);
      double low = value(bits, type(p));
      double high = value(bits + 1, type(p));
      float v =
          !Double.isFinite(high)
              ? (float) (largest * random.nextDouble(0.9, 1.1))
              : (float) (i % 3 == 0 ? (low + high) / 2 : random.nextDouble(low, high));
      values[i] = i % 2 == 0 ? v : -v;
    }
    float[] got = copiedThroughTheDevice(p, values);
    for (int i = 0; i < values.length; i++) {
      double v = Math.abs((double) values[i]);
      if (Double.isNaN(v)) {
        assertTrue(Float.isNaN(got[i]));
        continue;
      }
      Double low = numbers.floorKey(v);
      Double high = numbers.ceilingKey(v);
      double expected = high == null ? Double.POSITIVE_INFINITY : nearest(v, low, high, numbers);
      expected = expected > largest ? Double.POSITIVE_INFINITY : expected;
      assertEquals(Math.copySign(expected, values[i]), got[i], values[i] + "");
    }
  }

  private static double nearest(
      double v, double low, double high, TreeMap<Double, Integer> numbers) {
    BigDecimal below = new BigDecimal(v).subtract(new BigDecimal(low));
    BigDecimal above = new BigDecimal(high).subtract(new BigDecimal(v));
    int order = below.compareTo(above);
    boolean down = order < 0 || order == 0 && numbers.get(low) % 2 == 0;
    return down ? low : high;
  }
}
