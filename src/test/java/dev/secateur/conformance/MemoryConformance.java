package dev.secateur.conformance;

import static dev.secateur.conformance.Conformance.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.device.SelfTest;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Arenas, copies between memories and the order of the stream. */
interface MemoryConformance extends Conformance {

  @Test
  default void theDeviceSaysWhatItIs() {
    assertTrue(device().name().matches("cpu|cuda:\\d+"), device().name());
    assertFalse(device().description().isBlank());
    assertFalse(device().versions().isEmpty());
  }

  @Test
  default void theSelfTestFindsEveryResultRight() {
    for (SelfTest.Check c : SelfTest.run(device(), name -> {})) {
      assertEquals("", c.problem(), c.name());
    }
  }

  @Test
  default void theTimeOfWorkGrowsWithIt() {
    Tensor x = arena().floats(1 << 20);
    Kernel k = device().moves().fill(x, 1);
    double none = device().time(() -> {});
    double many =
        device()
            .time(
                () -> {
                  for (int i = 0; i < 200; i++) {
                    k.launch();
                  }
                });
    assertTrue(none >= 0 && many > none, none + " and " + many + " ms");
  }

  @Test
  default void kernelsAreTimedOneByOneInTheirOrder() {
    Tensor x = arena().floats(1 << 20);
    Tensor y = arena().floats(1 << 20);
    List<Kernel> kernels = new ArrayList<>();
    kernels.add(device().moves().copy(x, y)); // 7
    kernels.add(() -> {});
    kernels.add(device().moves().fill(x, 1));
    kernels.add(device().pointwise().add(x, y, Activation.NONE, y)); // 8
    Kernel seven = device().moves().fill(x, 7);
    for (int round = 0; round < 2; round++) { // with more stamps than the first time
      KernelTimes t = device().timeEach(seven, kernels);
      assertEquals(kernels.size(), t.milliseconds().length);
      assertTrue(Arrays.stream(t.milliseconds()).allMatch(ms -> ms >= 0), t.toString());
      assertTrue(t.gapless(), "nothing in between waits");
      double[] got = read(y);
      assertTrue(Arrays.stream(got).allMatch(v -> v == 8), "ahead, then each once in order");
      kernels.add(device().moves().fill(x, 1));
    }
  }

  @Test
  default void arenasHoldZerosEvenWhereGarbageLay() {
    for (int i = 0; i < 3; i++) {
      try (Arena a = device().newArena()) {
        Tensor f = a.floats(3, 5, 7);
        Tensor d = a.doubles(129);
        Tensor x = a.allocate(Shape.of(2, 3, 50, 70), DType.F32, device().activationLayout());
        for (Tensor t : new Tensor[] {f, d, x}) {
          assertArrayEquals(new double[(int) t.elements()], read(t), t.toString());
          device().moves().fill(t, GARBAGE).launch();
        }
        device().synchronize();
      }
    }
  }

  @Test
  default void arenasCountTheirBytesAndCloseTwice() {
    Arena a = device().newArena();
    assertEquals(0, a.bytes());
    Tensor f = a.floats(3, 5);
    Tensor d = a.doubles(7);
    assertEquals(Shape.of(3, 5), f.shape());
    assertEquals(DType.F32, f.dtype());
    assertEquals(Layout.PLAIN, f.layout());
    assertEquals(DType.F64, d.dtype());
    assertTrue(a.bytes() >= f.bytes() + d.bytes(), "bytes " + a.bytes());
    a.close();
    assertEquals(0, a.bytes());
    a.close();
  }

  /** One arena's end leaves the others' tensors. */
  @Test
  default void arenasAreIndependent() {
    Tensor kept = plain(new double[] {1, 2, 3}, 3);
    try (Arena a = device().newArena()) {
      device().moves().fill(a.floats(3), GARBAGE).launch();
    }
    assertArrayEquals(new double[] {1, 2, 3}, read(kept));
  }

  /** Up and down in PLAIN order, whatever the layout. */
  @Test
  default void copiesToAndFromJavaAreInPlainOrder() {
    Shape s = Shape.of(2, 3, 4, 5);
    float[] values = new float[120];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    for (Layout layout : new Layout[] {Layout.PLAIN, device().activationLayout()}) {
      Tensor t = arena().allocate(s, DType.F32, layout);
      device().upload(values, t);
      assertArrayEquals(values, device().downloadFloats(t));
      Tensor plain = plain(s.toArray());
      device().moves().copy(t, plain).launch();
      assertArrayEquals(values, device().downloadFloats(plain));
      // channel 1 as the device sees it
      Tensor channel = activation(s.with(1, 1));
      device()
          .moves()
          .sliceChannels(activation(s, read(t)), 1, channel.shape().dim(1), channel)
          .launch();
      assertArrayEquals(Arrays.copyOfRange(values, 20, 40), first(channel, 20));
    }
  }

  @Test
  default void arraysMayChangeOnceUploaded() {
    float[] f = {1, 2, 3};
    int[] i = {0, 2};
    Tensor tf = plain(3);
    Tensor ti = ints(new int[2], 2);
    device().upload(f, tf);
    device().upload(i, ti);
    Arrays.fill(f, 9);
    Arrays.fill(i, 9);
    assertArrayEquals(new float[] {1, 2, 3}, device().downloadFloats(tf));
    Tensor chosen = plain(2);
    device().moves().gather(tf, 0, ti, chosen).launch();
    assertArrayEquals(new double[] {1, 3}, read(chosen));
  }

  @Test
  default void stagingMemoryMayChangeOnceRead() {
    Tensor a = plain(1000);
    Tensor b = plain(500);
    try (HostBuffer host = device().hostBuffer(4000)) {
      assertSame(host.bytes(), host.bytes());
      assertTrue(host.bytes().isDirect());
      assertEquals(ByteOrder.nativeOrder(), host.bytes().order());
      assertEquals(4000, host.bytes().capacity());
      for (int i = 0; i < 1000; i++) {
        host.bytes().putFloat(4 * i, i);
      }
      device().upload(host, a);
      host.awaitRead();
      for (int i = 0; i < 1000; i++) {
        host.bytes().putFloat(4 * i, -i - 1);
      }
      // smaller than the staging memory: its beginning
      device().upload(host, b);
      host.awaitRead();
    }
    float[] got = device().downloadFloats(a);
    float[] half = device().downloadFloats(b);
    for (int i = 0; i < 1000; i++) {
      assertEquals(i, got[i]);
      assertEquals(-1 - i / 2, half[i / 2]);
    }
  }

  /** Uploads and kernels run in the order in which they were launched. */
  @Test
  default void theStreamIsOrdered() {
    int n = 1 << 18;
    float[] values = new float[n];
    Tensor x = plain(n);
    Tensor first = plain(n);
    Tensor second = plain(n);
    Kernel keepFirst = device().moves().copy(x, first);
    Kernel keepSecond = device().pointwise().add(x, first, Activation.NONE, second);
    Arrays.fill(values, 1);
    device().upload(values, x);
    keepFirst.launch();
    Arrays.fill(values, 2);
    device().upload(values, x);
    keepSecond.launch();
    device().moves().fill(x, 0).launch();
    device().synchronize();
    double[] one = read(first);
    double[] three = read(second);
    for (int i = 0; i < n; i += 4095) {
      assertEquals(1, one[i]);
      assertEquals(3, three[i]);
    }
  }

  /** Views begin anywhere and kernels stay inside them. */
  @Test
  default void viewsArePartsOfTheirTensor() {
    Tensor whole = plain(40);
    device().moves().fill(whole, -1).launch();
    Tensor a = whole.view(3, Shape.of(2, 5));
    Tensor b = whole.view(15, Shape.of(5, 3));
    Tensor c = whole.view(31, Shape.of(2, 3));
    Values draw = new Values(3);
    double[] va = draw.uniform(10);
    double[] vb = draw.uniform(15);
    double[] expected = read(whole);
    System.arraycopy(va, 0, expected, 3, 10);
    System.arraycopy(vb, 0, expected, 15, 15);
    device().moves().copy(plain(va, 2, 5), a).launch();
    device().moves().copy(plain(vb, 5, 3), b).launch();
    assertArrayEquals(va, read(a));
    assertArrayEquals(vb, read(b));
    double[] product = ReferenceMath.gemm(2, 1, va, vb, 0, new double[6]);
    System.arraycopy(product, 0, expected, 31, 6);
    device().matrices().gemm(false, false, 1, a, b, 0, c).launch();
    Conformance.assertNear(expected, read(whole), FLOAT, "the whole");
    device().moves().fill(b, 4).launch();
    Arrays.fill(expected, 15, 30, 4);
    device().pointwise().activation(Activation.RELU, a, a).launch();
    System.arraycopy(ReferenceLayers.activation(Activation.RELU, va), 0, expected, 3, 10);
    Conformance.assertNear(expected, read(whole), FLOAT, "the whole");
  }

  @Test
  default void copiesThatDoNotFitAreRefused() {
    Tensor t = plain(3);
    assertRefused("floats", () -> device().upload(new float[2], t));
    assertRefused("ints", () -> device().upload(new int[4], ints(new int[3], 3)));
    assertRefused("type", () -> device().upload(new int[3], t));
    assertRefused("type", () -> device().upload(new float[3], doubles(3)));
    assertRefused("layout", () -> arena().allocate(Shape.of(3), DType.F32, Layout.CHANNELS_LAST));
    try (HostBuffer host = device().hostBuffer(11)) {
      assertRefused("staging", () -> device().upload(host, t));
    }
    assertRefused("copy", () -> device().moves().copy(t, plain(4)));
    assertRefused("copy to I32", () -> device().moves().copy(t, ints(new int[3], 3)));
  }

  private float[] first(Tensor t, int n) {
    return Arrays.copyOf(device().downloadFloats(t), n);
  }
}
