package dev.secateur.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.function.Executable;

/**
 * What every part of the suite builds on: the device under test, an arena that lives as long as one
 * test, and tensors made of and read into double arrays in PLAIN order. Outputs begin with garbage.
 */
interface Conformance {
  /** Of results in single precision, as a whole, in the Euclidean norm. */
  double FLOAT = 1e-5;

  /** Of gradients in single precision against finite differences. */
  double GRADIENT = 1e-4;

  /** Of results in double precision. */
  double DOUBLE = 1e-12;

  float GARBAGE = -77.25f;

  Device device();

  Precision precision();

  Arena arena();

  /** Of results of layers: two roundings to the type of activations. */
  default double layer() {
    return switch (precision()) {
      case FP32, TF32 -> FLOAT;
      case FP16 -> 2 * 0x1p-11;
      case BF16 -> 2 * 0x1p-8;
    };
  }

  /**
   * Of results of convolutions and linear layers; TF32 rounds both factors to 2^-11, and a bias or
   * ReLU may leave less of the result than of the error.
   */
  default double product() {
    return precision() == Precision.TF32 ? 4 * 0x1p-11 : layer();
  }

  /** Numbers that activations hold exactly. */
  default Values values(long seed) {
    return new Values(seed, device().activationType());
  }

  /** Weights of a convolution. */
  default Tensor filters(double[] values, Shape shape) {
    Tensor t = arena().allocate(shape, device().activationType(), device().weightLayout());
    device().upload(floats(values), t);
    return t;
  }

  /** An output. */
  default Tensor filters(Shape shape) {
    return filters(garbage(shape.elements()), shape);
  }

  /** PLAIN, of the type of activations: a matrix, a bias. */
  default Tensor typed(double[] values, long... dims) {
    Tensor t = arena().allocate(Shape.of(dims), device().activationType(), Layout.PLAIN);
    device().upload(floats(values), t);
    return t;
  }

  /** An output. */
  default Tensor typed(long... dims) {
    return typed(garbage(Shape.of(dims).elements()), dims);
  }

  default Tensor activation(Shape shape, double[] values) {
    Tensor t = arena().allocate(shape, device().activationType(), device().activationLayout());
    device().upload(floats(values), t);
    return t;
  }

  /** An output. */
  default Tensor activation(Shape shape) {
    return activation(shape, garbage(shape.elements()));
  }

  default Tensor plain(double[] values, long... dims) {
    Tensor t = arena().floats(dims);
    device().upload(floats(values), t);
    return t;
  }

  /** An output. */
  default Tensor plain(long... dims) {
    return plain(garbage(Shape.of(dims).elements()), dims);
  }

  default Tensor doubles(double[] values, long... dims) {
    Tensor t = arena().doubles(dims);
    stage(t, b -> b.asDoubleBuffer().put(values));
    return t;
  }

  /** An output. */
  default Tensor doubles(long... dims) {
    return doubles(garbage(Shape.of(dims).elements()), dims);
  }

  default Tensor ints(int[] values, long... dims) {
    Tensor t = arena().allocate(Shape.of(dims), DType.I32, Layout.PLAIN);
    device().upload(values, t);
    return t;
  }

  default Tensor bytes(byte[] values, Shape shape) {
    Tensor t = arena().allocate(shape, DType.U8, Layout.PLAIN);
    stage(t, b -> b.put(values));
    return t;
  }

  /** Uploads through staging memory. */
  default void stage(Tensor t, Consumer<ByteBuffer> write) {
    try (HostBuffer host = device().hostBuffer(t.bytes())) {
      write.accept(host.bytes().clear());
      host.bytes().clear();
      device().upload(host, t);
      host.awaitRead();
    }
  }

  default double[] read(Tensor t) {
    return device().downloadDoubles(t);
  }

  /** Launches twice, the output spoilt in between, and fails unless both results are equal. */
  default double[] result(Kernel kernel, Tensor out) {
    kernel.launch();
    double[] first = read(out);
    device().moves().fill(out, GARBAGE).launch();
    kernel.launch();
    assertArrayEquals(first, read(out), "a second launch gives the same");
    return first;
  }

  static void assertNear(double[] expected, double[] got, double tolerance, String what) {
    assertEquals(expected.length, got.length, what);
    double error = 0;
    double norm = 0;
    int worst = 0;
    for (int i = 0; i < got.length; i++) {
      double e = Math.abs(expected[i] - got[i]);
      error += e * e;
      norm += expected[i] * expected[i];
      // a NaN is the worst
      worst = e <= Math.abs(expected[worst] - got[worst]) ? worst : i;
    }
    boolean near = Math.sqrt(error) <= tolerance * Math.sqrt(norm);
    assertTrue(
        near,
        String.format(
            "%s: error %.3g of norm %.3g; element %d is %.9g, expected %.9g",
            what, Math.sqrt(error), Math.sqrt(norm), worst, got[worst], expected[worst]));
  }

  /** Refused in one line by what all devices share, so that the words are the same on each. */
  static void assertRefused(String what, Executable factory) {
    Exception e = assertThrows(IllegalArgumentException.class, factory, what);
    assertEquals(Contract.class.getName(), e.getStackTrace()[0].getClassName(), what);
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
  }

  private static float[] floats(double[] values) {
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) values[i];
    }
    return out;
  }

  private static double[] garbage(long n) {
    double[] out = new double[(int) n];
    Arrays.fill(out, GARBAGE);
    return out;
  }
}
