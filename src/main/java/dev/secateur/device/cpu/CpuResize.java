package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Resampling of activations with channels innermost: rows first, then columns, whose two neighbours
 * are copied beside each other, so that every loop reads its arrays at one index and becomes vector
 * code.
 */
final class CpuResize {
  private final FloatBuffer x;
  private final FloatBuffer y;
  private final CpuBuffer[] used;
  private final boolean smooth;
  private final int images;
  private final int channels;
  private final int height;
  private final int width;
  private final int outHeight;
  private final int outWidth;
  private final Axis rows;
  private final Axis columns;

  /** The right neighbour's weight for each element of an output row. */
  private final float[] right;

  private final Scratch[] scratch = new Scratch[CpuParallel.slots()];

  /** One thread's rows of the input (2) and of the output (2). */
  private record Scratch(float[] in, float[] below, float[] out, float[] beside) {}

  /** Each output pixel's two neighbours and the second one's weight. */
  private record Axis(int[] low, int[] high, float[] weight) {
    static Axis of(ResizeSpec spec, int in, int out) {
      ResizeSpec.Axis a = spec.axis(in, out);
      Axis axis = new Axis(new int[out], new int[out], new float[out]);
      for (int i = 0; i < out; i++) {
        long place = Math.min(Math.max(0, a.step() * i + a.offset()), (in - 1) * a.divisor());
        axis.low[i] = (int) (place / a.divisor());
        axis.high[i] = Math.min(in - 1, axis.low[i] + 1);
        if (spec.mode() == ResizeSpec.Mode.BILINEAR) {
          axis.weight[i] = (float) ((double) (place % a.divisor()) / a.divisor());
        }
      }
      return axis;
    }
  }

  /** Of x to y, or of their gradients. */
  CpuResize(ResizeSpec spec, Tensor x, Tensor y) {
    this.x = CpuViews.floats(x);
    this.y = CpuViews.floats(y);
    used = CpuBuffer.distinct(x, y);
    smooth = spec.mode() == ResizeSpec.Mode.BILINEAR;
    images = x.shape().size(0);
    channels = x.shape().size(1);
    height = x.shape().size(2);
    width = x.shape().size(3);
    outHeight = spec.height();
    outWidth = spec.width();
    rows = Axis.of(spec, height, outHeight);
    columns = Axis.of(spec, width, outWidth);
    right = new float[outWidth * channels];
    for (int i = 0; i < right.length; i++) {
      right[i] = columns.weight[i / channels];
    }
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] =
          new Scratch(
              new float[width * channels],
              new float[width * channels],
              new float[right.length],
              new float[right.length]);
    }
  }

  Kernel forward() {
    return kernel(images * outHeight, this::row);
  }

  Kernel backward() {
    float[][] sums = new float[CpuParallel.slots()][height * width * channels];
    return kernel(images, (n, slot) -> gradient(n, scratch[slot], sums[slot]));
  }

  private Kernel kernel(int tasks, CpuParallel.Body body) {
    long work = (long) images * outHeight * outWidth * channels;
    return () -> {
      CpuBuffer.requireOpen(used);
      CpuParallel.run(tasks, work, body);
    };
  }

  private void row(int task, int slot) {
    Scratch s = scratch[slot];
    int p = task % outHeight;
    int image = task / outHeight * height;
    int length = width * channels;
    x.get((image + rows.low[p]) * length, s.in, 0, length);
    if (rows.weight[p] > 0) {
      x.get((image + rows.high[p]) * length, s.below, 0, length);
      blend(s.in, s.below, rows.weight[p], length);
    }
    spread(s.in, columns.low, s.out);
    if (smooth) {
      spread(s.in, columns.high, s.beside);
      blend(s.out, s.beside, right);
    }
    y.put(task * right.length, s.out, 0, right.length);
  }

  /** The pixels {@code from} one after another. */
  private void spread(float[] in, int[] from, float[] out) {
    for (int q = 0; q < from.length; q++) {
      System.arraycopy(in, from[q] * channels, out, q * channels, channels);
    }
  }

  private static void blend(float[] a, float[] b, float weight, int length) {
    for (int i = 0; i < length; i++) {
      a[i] += weight * (b[i] - a[i]);
    }
  }

  private static void blend(float[] a, float[] b, float[] weight) {
    for (int i = 0; i < a.length; i++) {
      a[i] += weight[i] * (b[i] - a[i]);
    }
  }

  private void gradient(int n, Scratch s, float[] sums) {
    Arrays.fill(sums, 0);
    int length = width * channels;
    for (int p = 0; p < outHeight; p++) {
      y.get((n * outHeight + p) * right.length, s.out, 0, right.length);
      Arrays.fill(s.in, 0);
      if (smooth) {
        split(s.out, s.beside, right);
        gather(s.beside, columns.high, s.in);
      }
      gather(s.out, columns.low, s.in);
      float below = rows.weight[p];
      add(s.in, 1 - below, sums, rows.low[p] * length, length);
      if (below > 0) {
        add(s.in, below, sums, rows.high[p] * length, length);
      }
    }
    x.put(n * sums.length, sums, 0, sums.length);
  }

  private static void split(float[] a, float[] b, float[] weight) {
    for (int i = 0; i < a.length; i++) {
      b[i] = weight[i] * a[i];
      a[i] -= b[i];
    }
  }

  /** Adds each output pixel to the pixel {@code to}. */
  private void gather(float[] out, int[] to, float[] in) {
    for (int q = 0; q < to.length; q++) {
      int at = to[q] * channels;
      for (int c = 0; c < channels; c++) {
        in[at + c] += out[q * channels + c];
      }
    }
  }

  private static void add(float[] row, float weight, float[] sums, int at, int length) {
    for (int i = 0; i < length; i++) {
      sums[at + i] += weight * row[i];
    }
  }
}
