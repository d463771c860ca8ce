package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;

/**
 * y = a times a factor a channel and image. An image, channels innermost, is cut into periods of
 * whole pixels, over which the factors are repeated, so that the loop reads every array at one
 * index and becomes vector code.
 */
final class CpuChannelFactors implements Kernel {
  private static final int PERIOD = 2048;
  private static final int PERIODS_PER_TASK = 16;
  private final FloatBuffer a;
  private final FloatBuffer factors;
  private final FloatBuffer y;
  private final CpuBuffer[] used;
  private final int images;
  private final int channels;
  private final int image;
  private final int period;
  private final int tasksPerImage;
  private final float[][] values = new float[CpuParallel.slots()][];
  private final float[][] repeated = new float[CpuParallel.slots()][];

  CpuChannelFactors(Tensor a, Tensor factors, Tensor y) {
    this.a = CpuViews.floats(a);
    this.factors = CpuViews.floats(factors);
    this.y = CpuViews.floats(y);
    used = CpuBuffer.distinct(a, factors, y);
    images = a.shape().size(0);
    channels = a.shape().size(1);
    image = Math.toIntExact(a.elements() / images);
    period = Math.min(image, channels * Math.max(1, PERIOD / channels));
    int perTask = period * PERIODS_PER_TASK;
    tasksPerImage = (image + perTask - 1) / perTask;
    for (int i = 0; i < values.length; i++) {
      values[i] = new float[period];
      repeated[i] = new float[period];
    }
  }

  @Override
  public void launch() {
    CpuBuffer.requireOpen(used);
    CpuParallel.run(images * tasksPerImage, (long) images * image, this::part);
  }

  private void part(int task, int slot) {
    int n = task / tasksPerImage;
    float[] v = values[slot];
    float[] f = repeated[slot];
    factors.get(n * channels, f, 0, channels);
    for (int filled = channels; filled < period; filled *= 2) {
      System.arraycopy(f, 0, f, filled, Math.min(filled, period - filled));
    }
    int from = task % tasksPerImage * period * PERIODS_PER_TASK;
    int end = Math.min(image, from + period * PERIODS_PER_TASK);
    for (int at = from; at < end; at += period) {
      int length = Math.min(period, end - at);
      a.get(n * image + at, v, 0, length);
      multiply(v, f, length);
      y.put(n * image + at, v, 0, length);
    }
  }

  private static void multiply(float[] v, float[] f, int length) {
    for (int j = 0; j < length; j++) {
      v[j] *= f[j];
    }
  }
}
