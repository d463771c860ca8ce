package dev.secateur.device.cpu;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.Training;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.Optional;

/** The loss and the step, in Java. */
final class CpuTraining implements Training {
  private static final int PIECE = 4096;

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileCrossEntropy(
      Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    return new CpuLoss(logits, labels, smoothing, metrics, dlogits);
  }

  @Override
  public Kernel compileSgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec) {
    FloatBuffer pb = CpuViews.floats(p);
    FloatBuffer gb = CpuViews.floats(grad);
    FloatBuffer vb = CpuViews.floats(velocity);
    FloatBuffer rate = CpuViews.floats(lr);
    int n = Math.toIntExact(p.elements());
    float[][] ps = new float[CpuParallel.slots()][PIECE];
    float[][] gs = new float[CpuParallel.slots()][PIECE];
    float[][] vs = new float[CpuParallel.slots()][PIECE];
    CpuParallel.Body body =
        (piece, slot) -> {
          int at = piece * PIECE;
          int length = Math.min(PIECE, n - at);
          pb.get(at, ps[slot], 0, length);
          gb.get(at, gs[slot], 0, length);
          vb.get(at, vs[slot], 0, length);
          int decayed = (int) Math.max(0, Math.min(length, spec.decayed() - at));
          decay(ps[slot], gs[slot], decayed, spec.weightDecay());
          step(ps[slot], gs[slot], vs[slot], length, rate.get(0), spec);
          pb.put(at, ps[slot], 0, length);
          vb.put(at, vs[slot], 0, length);
        };
    int pieces = (n + PIECE - 1) / PIECE;
    return () -> CpuParallel.run(pieces, n, body);
  }

  /** The first elements' gradients with what pulls their parameters to zero. */
  private static void decay(float[] p, float[] g, int length, float decay) {
    for (int i = 0; i < length; i++) {
      g[i] = g[i] + decay * p[i];
    }
  }

  private static void step(float[] p, float[] g, float[] v, int length, float lr, SgdSpec spec) {
    float momentum = spec.momentum();
    if (spec.nesterov()) {
      for (int i = 0; i < length; i++) {
        float u = momentum * v[i] + g[i];
        v[i] = u;
        p[i] = p[i] - lr * (g[i] + momentum * u);
      }
    } else {
      for (int i = 0; i < length; i++) {
        float u = momentum * v[i] + g[i];
        v[i] = u;
        p[i] = p[i] - lr * u;
      }
    }
  }
}
