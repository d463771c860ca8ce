package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;

/** y[n,c] = Σ over height and width of a b, by periods as {@link CpuChannelFactors} has them. */
final class CpuChannelProducts implements Kernel {
  private static final int PERIOD = 2048;
  private final FloatBuffer a;
  private final FloatBuffer b;
  private final FloatBuffer y;
  private final CpuBuffer[] used;
  private final int images;
  private final int channels;
  private final int image;
  private final int period;
  private final float[][] left = new float[CpuParallel.slots()][];
  private final float[][] right = new float[CpuParallel.slots()][];
  private final float[][] sums = new float[CpuParallel.slots()][];

  CpuChannelProducts(Tensor a, Tensor b, Tensor y) {
    this.a = CpuViews.floats(a);
    this.b = CpuViews.floats(b);
    this.y = CpuViews.floats(y);
    used = CpuBuffer.distinct(a, b, y);
    images = a.shape().size(0);
    channels = a.shape().size(1);
    image = Math.toIntExact(a.elements() / images);
    period = Math.min(image, channels * Math.max(1, PERIOD / channels));
    for (int i = 0; i < left.length; i++) {
      left[i] = new float[period];
      right[i] = new float[period];
      sums[i] = new float[period];
    }
  }

  @Override
  public void launch() {
    CpuBuffer.requireOpen(used);
    CpuParallel.run(images, (long) images * image, this::image);
  }

  private void image(int n, int slot) {
    float[] s = sums[slot];
    Arrays.fill(s, 0);
    for (int at = 0; at < image; at += period) {
      int length = Math.min(period, image - at);
      a.get(n * image + at, left[slot], 0, length);
      b.get(n * image + at, right[slot], 0, length);
      accumulate(s, left[slot], right[slot], length);
    }
    for (int c = 0; c < channels; c++) {
      double sum = 0;
      for (int i = c; i < period; i += channels) {
        sum += s[i];
      }
      y.put(n * channels + c, (float) sum);
    }
  }

  private static void accumulate(float[] s, float[] a, float[] b, int length) {
    for (int j = 0; j < length; j++) {
      s[j] += a[j] * b[j];
    }
  }
}
