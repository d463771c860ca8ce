package dev.secateur.device.cpu;

import dev.secateur.device.Folding;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Optional;

/** Weights for inference, filter by filter. */
final class CpuFolding implements Kernel {
  private final Folding folding;
  private final FloatBuffer weights;
  private final FloatBuffer y;
  private final Optional<FloatBuffer> shift;
  private final Optional<FloatBuffer> bias;
  private final Optional<Norm> norm;
  private final int filters;
  private final int rows;

  private record Norm(
      FloatBuffer gamma, FloatBuffer beta, FloatBuffer mean, FloatBuffer variance, float eps) {
    double scale(int k) {
      return gamma.get(k) / Math.sqrt((double) variance.get(k) + eps);
    }
  }

  CpuFolding(Folding f) {
    this.folding = f;
    this.weights = CpuViews.floats(f.weights());
    this.y = CpuViews.floats(f.y());
    this.shift = f.shift().map(CpuViews::floats);
    this.bias = f.bias().map(CpuViews::floats);
    this.norm =
        f.norm()
            .map(
                n ->
                    new Norm(
                        CpuViews.floats(n.gamma()),
                        CpuViews.floats(n.beta()),
                        CpuViews.floats(n.mean()),
                        CpuViews.floats(n.variance()),
                        n.eps()));
    this.filters = f.weights().shape().size(0);
    this.rows = f.y().shape().size(0);
  }

  @Override
  public void launch() {
    int own = perFilter(folding.weights());
    float[][] values = new float[CpuParallel.slots()][perFilter(folding.y())];
    CpuParallel.run(rows, folding.y().elements(), (k, slot) -> filter(k, own, values[slot]));
  }

  private static int perFilter(Tensor t) {
    return Math.toIntExact(t.elements() / t.shape().dim(0));
  }

  private void filter(int k, int own, float[] v) {
    boolean has = k < filters;
    double scale = has && norm.isPresent() ? norm.get().scale(k) : 1;
    if (has) {
      weights.get(k * own, v, 0, own);
      for (int i = 0; norm.isPresent() && i < own; i++) {
        v[i] = (float) (v[i] * scale);
      }
    }
    Arrays.fill(v, has ? own : 0, v.length, 0f);
    y.put(k * v.length, v);
    if (shift.isPresent()) {
      float b = has && bias.isPresent() ? bias.get().get(k) : 0;
      if (has && norm.isPresent()) {
        Norm n = norm.get();
        b = (float) ((b - n.mean().get(k)) * scale + n.beta().get(k));
      }
      shift.get().put(k, b);
    }
  }
}
