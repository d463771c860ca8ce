package dev.secateur.device.cpu;

import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;

/**
 * Reduces each image of an activation over H and W. Rows with channels innermost are copied into
 * heap memory that stays in the cache; the loops run over channels there, which the compiler turns
 * into vector code (only where both arrays are read at the same index). Few channels are folded
 * with neighbouring pixels to keep those loops long.
 */
final class CpuReduction {
  private static final int WIDE = 1024;

  private final FloatBuffer x;
  private final boolean innermost;
  private final boolean max;
  private final int channels;
  private final int pixels;
  private final int width;
  private final float[][] chunk;
  private final float[][] wide;

  /** x (N,C,H,W) or (N,C), F32. */
  CpuReduction(Tensor x, boolean max) {
    this.x = CpuViews.floats(x);
    this.max = max;
    innermost = CpuViews.channelsInnermost(x);
    channels = x.shape().size(1);
    pixels = Math.toIntExact(CpuViews.pixels(x));
    int fold = 1;
    for (int k = 2; innermost && k <= pixels && (long) k * channels <= WIDE; k++) {
      fold = pixels % k == 0 ? k : fold;
    }
    width = innermost ? channels * fold : pixels;
    chunk = new float[Parallel.slots()][width];
    wide = new float[Parallel.slots()][Math.max(width, channels)];
  }

  static boolean isMax(PoolSpec.Kind kind) {
    return kind == PoolSpec.Kind.MAX;
  }

  /** Maximum or sum of each channel of one image; valid until the slot's next call. */
  float[] image(int n, int slot) {
    return innermost ? folded(n, slot) : planar(n, slot);
  }

  private float[] folded(int n, int slot) {
    float[] rows = chunk[slot];
    float[] acc = wide[slot];
    int base = n * pixels * channels;
    int count = pixels * channels / width;
    x.get(base, acc, 0, width);
    for (int row = 1; row < count; row++) {
      x.get(base + row * width, rows, 0, width);
      combine(acc, rows, width, max);
    }
    for (int w = width; w > channels; ) {
      int groups = w / channels;
      int keep = (groups + 1) / 2 * channels;
      System.arraycopy(acc, keep, rows, 0, w - keep);
      combine(acc, rows, w - keep, max);
      w = keep;
    }
    return acc;
  }

  private float[] planar(int n, int slot) {
    float[] plane = chunk[slot];
    float[] out = wide[slot];
    for (int c = 0; c < channels; c++) {
      x.get((n * channels + c) * pixels, plane, 0, pixels);
      float v = plane[0];
      for (int i = 1; i < pixels; i++) {
        v = max ? Math.max(v, plane[i]) : v + plane[i];
      }
      out[c] = v;
    }
    return out;
  }

  private static void combine(float[] a, float[] b, int length, boolean max) {
    if (max) {
      for (int i = 0; i < length; i++) {
        a[i] = Math.max(a[i], b[i]);
      }
    } else {
      for (int i = 0; i < length; i++) {
        a[i] += b[i];
      }
    }
  }
}
