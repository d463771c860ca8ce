package dev.secateur.device.cpu;

import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;

/**
 * Reduces each image of an activation, channels innermost, over H and W. Rows are copied into heap
 * memory that stays in the cache; the loops run over channels there, which the compiler turns into
 * vector code (only where both arrays are read at the same index). Few channels are folded with
 * neighbouring pixels to keep those loops long.
 */
final class CpuReduction {
  private static final int WIDE = 1024;

  private final FloatBuffer x;
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
    channels = x.shape().size(1);
    pixels = Math.toIntExact(CpuViews.pixels(x));
    int fold = 1;
    for (int k = 2; k <= pixels && (long) k * channels <= WIDE; k++) {
      fold = pixels % k == 0 ? k : fold;
    }
    width = channels * fold;
    chunk = new float[CpuParallel.slots()][width];
    wide = new float[CpuParallel.slots()][width];
  }

  /** Maximum or sum of each channel of one image; valid until the slot's next call. */
  float[] image(int n, int slot) {
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
