package dev.secateur.bench;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * What a device can do at most, measured on it (Williams, Waterman, Patterson, CACM 2009): no
 * kernel computes faster than a large matrix product, none moves memory faster than a large copy. A
 * kernel whose arithmetic intensity lies below {@link #ridge} is bound by memory, above it by
 * arithmetic. The memory meant is the device's main one; what stays in a cache may be faster than
 * this says.
 *
 * @param gflops of a matrix product in the device's type of activations, 2 FLOPs a multiply-add;
 *     the best of several sizes
 * @param gigabytesPerSecond read and written by copying floats, 10^9 bytes
 */
public record Roofline(double gflops, double gigabytesPerSecond) {
  private static final int LARGEST = 4096;
  private static final double PRODUCT_MS = 5;
  private static final long LARGEST_COPY = 256 << 20;
  private static final double COPY_MS = 50;

  /** FLOPs a byte where both limits meet. */
  public double ridge() {
    return gflops / gigabytesPerSecond;
  }

  /** Whether memory is the lower limit. */
  public boolean memoryBound(double intensity) {
    return intensity < ridge();
  }

  /** The least time for so much work. */
  public double milliseconds(double flops, double bytes) {
    return Math.max(flops / gflops, bytes / gigabytesPerSecond) / 1e6;
  }

  /** Takes a second or so, and up to 0.5 GB of device memory meanwhile. */
  public static Roofline measure(Device device) {
    return new Roofline(products(device), copies(device));
  }

  /** Larger products until one takes long enough to fill the device. */
  private static double products(Device device) {
    double best = 0;
    double ms = 0;
    for (int n = 64; n <= LARGEST && ms < PRODUCT_MS; n *= 2) {
      try (Arena arena = device.newArena()) {
        Tensor x = noise(device, arena, n);
        Tensor w = noise(device, arena, n);
        Tensor y = square(device, arena, n);
        ms =
            milliseconds(
                device,
                device
                    .linear()
                    .forward(
                        x,
                        w,
                        new Epilogue(Optional.empty(), Optional.empty(), Activation.NONE),
                        y));
        best = Math.max(best, 2.0 * n * n * n / ms / 1e6);
      }
    }
    return best;
  }

  private static Tensor square(Device device, Arena arena, int n) {
    return arena.allocate(Shape.of(n, n), device.activationType(), Layout.PLAIN);
  }

  /** Not zeros: a GPU spends less power, and so clocks higher, on those. */
  private static Tensor noise(Device device, Arena arena, int n) {
    SplittableRandom random = new SplittableRandom(n);
    float[] values = new float[n * n];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    Tensor t = square(device, arena, n);
    device.upload(values, t);
    return t;
  }

  /** Larger copies until no cache can hold them; the largest counts. */
  private static double copies(Device device) {
    double rate = 0;
    double ms = 0;
    for (long bytes = 1 << 20; bytes <= LARGEST_COPY && ms < COPY_MS; bytes *= 4) {
      try (Arena arena = device.newArena()) {
        Shape shape = Shape.of(bytes / Float.BYTES);
        Tensor from = arena.allocate(shape, DType.F32, Layout.PLAIN);
        Tensor to = arena.allocate(shape, DType.F32, Layout.PLAIN);
        ms = milliseconds(device, device.moves().copy(from, to));
        rate = 2.0 * bytes / ms / 1e6;
      }
    }
    return rate;
  }

  /** The least of five rounds, a few launches each. */
  private static double milliseconds(Device device, Kernel kernel) {
    int launches = 3;
    double least = Double.MAX_VALUE;
    kernel.launch();
    for (int round = 0; round < 5; round++) {
      double ms =
          device.time(
              () -> {
                for (int i = 0; i < launches; i++) {
                  kernel.launch();
                }
              });
      least = Math.min(least, ms / launches);
    }
    return Math.max(least, 1e-6);
  }
}
