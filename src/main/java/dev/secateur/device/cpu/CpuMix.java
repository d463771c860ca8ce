package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.device.Moves;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/** Images mixed with others of the batch; channels innermost. */
final class CpuMix implements Kernel {
  private final FloatBuffer x;
  private final IntBuffer plan;
  private final FloatBuffer blends;
  private final FloatBuffer y;
  private final int images;
  private final int height;
  private final int width;
  private final int channels;
  private final float[][] own;
  private final float[][] other;

  CpuMix(Tensor x, Tensor plan, Tensor blends, Tensor y) {
    images = x.shape().size(0);
    channels = x.shape().size(1);
    height = x.shape().size(2);
    width = x.shape().size(3);
    this.x = CpuViews.floats(x);
    this.plan = CpuViews.ints(plan);
    this.blends = CpuViews.floats(blends);
    this.y = CpuViews.floats(y);
    own = new float[CpuParallel.slots()][height * width * channels];
    other = new float[CpuParallel.slots()][height * width * channels];
  }

  @Override
  public void launch() {
    CpuParallel.run(images, (long) images * own[0].length, this::image);
  }

  private void image(int n, int slot) {
    float[] a = erased(n, own[slot]);
    int at = Moves.MIX_PLAN * n;
    float blend = blends.get(n);
    boolean box = plan.get(at + 3) > 0;
    if (blend != 1 || box) {
      float[] b = erased(plan.get(at), other[slot]);
      for (int i = 0; i < a.length && blend != 1; i++) {
        a[i] = blend * a[i] + (1 - blend) * b[i];
      }
      for (int row = plan.get(at + 1); row < plan.get(at + 3); row++) {
        int from = (row * width + plan.get(at + 2)) * channels;
        int to = (row * width + plan.get(at + 4)) * channels;
        System.arraycopy(b, from, a, from, to - from);
      }
    }
    y.put(n * a.length, a);
  }

  /** An image without its erased box. */
  private float[] erased(int n, float[] to) {
    x.get(n * to.length, to);
    int at = Moves.MIX_PLAN * n;
    for (int row = plan.get(at + 5); row < plan.get(at + 7); row++) {
      int line = row * width;
      Arrays.fill(
          to, (line + plan.get(at + 6)) * channels, (line + plan.get(at + 8)) * channels, 0f);
    }
    return to;
  }
}
