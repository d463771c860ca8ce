package dev.secateur.device.cpu;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.Contract;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.Kernel;
import dev.secateur.device.SgdSpec;
import dev.secateur.device.Targets;
import dev.secateur.device.Training;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
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
      Tensor logits, Tensor labels, Targets targets, Tensor metrics, Optional<Tensor> dlogits) {
    return new CpuLoss(logits, labels, targets, metrics, dlogits);
  }

  @Override
  public Kernel compileImitation(
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor ends,
      Tensor metrics,
      Optional<Tensor> gradient) {
    return new CpuImitation(output, reference, labels, ends, metrics, gradient);
  }

  @Override
  public Kernel compileAverage(Tensor average, Tensor x, Tensor share) {
    FloatBuffer ab = CpuViews.floats(average);
    FloatBuffer xb = CpuViews.floats(x);
    FloatBuffer sb = CpuViews.floats(share);
    int n = Math.toIntExact(x.elements());
    float[][] as = new float[CpuParallel.slots()][PIECE];
    float[][] xs = new float[CpuParallel.slots()][PIECE];
    CpuParallel.Body body =
        (piece, slot) -> {
          int at = piece * PIECE;
          int length = Math.min(PIECE, n - at);
          float[] a = as[slot];
          float[] v = xs[slot];
          float s = sb.get(0);
          ab.get(at, a, 0, length);
          xb.get(at, v, 0, length);
          for (int i = 0; i < length; i++) {
            a[i] = a[i] + s * (v[i] - a[i]);
          }
          ab.put(at, a, 0, length);
        };
    return () -> CpuParallel.run(pieces(n), n, body);
  }

  @Override
  public Kernel compileGroupPenalty(
      Tensor p, Tensor grad, Tensor rows, Tensor strengths, GroupPenalty kind) {
    FloatBuffer pb = CpuViews.floats(p);
    FloatBuffer gb = CpuViews.floats(grad);
    IntBuffer places = CpuViews.ints(rows);
    FloatBuffer sb = CpuViews.floats(strengths);
    float[][] ps = new float[CpuParallel.slots()][PIECE];
    float[][] gs = new float[CpuParallel.slots()][PIECE];
    int count = rows.shape().size(0);
    CpuParallel.Body body =
        (row, slot) -> {
          float[] w = ps[slot];
          float[] g = gs[slot];
          int from = places.get(2 * row);
          int to = from + places.get(2 * row + 1);
          double factor = sb.get(row);
          if (kind == GroupPenalty.LASSO) {
            double norm = Math.sqrt(squares(pb, from, to, w));
            factor = norm == 0 ? 0 : factor / norm;
          }
          for (int at = from; at < to; at += PIECE) {
            int length = Math.min(PIECE, to - at);
            pb.get(at, w, 0, length);
            gb.get(at, g, 0, length);
            for (int i = 0; i < length; i++) {
              g[i] = g[i] + (float) (factor * w[i]);
            }
            gb.put(at, g, 0, length);
          }
        };
    long work = p.elements();
    return () -> CpuParallel.run(count, work, body);
  }

  private static double squares(FloatBuffer x, int from, int to, float[] piece) {
    double sum = 0;
    for (int at = from; at < to; at += PIECE) {
      int length = Math.min(PIECE, to - at);
      x.get(at, piece, 0, length);
      for (int i = 0; i < length; i++) {
        sum += (double) piece[i] * piece[i];
      }
    }
    return sum;
  }

  @Override
  public Kernel compileAdamW(
      Tensor p, Tensor grad, Tensor mean, Tensor square, Tensor lr, Tensor steps, AdamSpec spec) {
    FloatBuffer pb = CpuViews.floats(p);
    FloatBuffer gb = CpuViews.floats(grad);
    FloatBuffer mb = CpuViews.floats(mean);
    FloatBuffer vb = CpuViews.floats(square);
    FloatBuffer rate = CpuViews.floats(lr);
    FloatBuffer count = CpuViews.floats(steps);
    int n = Math.toIntExact(p.elements());
    float[][][] all = new float[CpuParallel.slots()][4][PIECE];
    CpuParallel.Body body =
        (piece, slot) -> {
          int at = piece * PIECE;
          int length = Math.min(PIECE, n - at);
          float[][] x = all[slot];
          pb.get(at, x[0], 0, length);
          gb.get(at, x[1], 0, length);
          mb.get(at, x[2], 0, length);
          vb.get(at, x[3], 0, length);
          int decayed = (int) Math.max(0, Math.min(length, spec.decayed() - at));
          adamW(x, length, decayed, rate.get(0), count.get(1), count.get(2), spec);
          pb.put(at, x[0], 0, length);
          mb.put(at, x[2], 0, length);
          vb.put(at, x[3], 0, length);
        };
    return () -> {
      double t = count.get(0) + 1.0;
      count.put(0, (float) t);
      count.put(1, (float) (1 - Math.pow(spec.beta1(), t)));
      count.put(2, (float) Math.sqrt(1 - Math.pow(spec.beta2(), t)));
      CpuParallel.run(pieces(n), n, body);
    };
  }

  /** On parameters, gradients, their mean and that of their squares. */
  private static void adamW(
      float[][] x, int length, int decayed, float lr, float share, float root, AdamSpec spec) {
    float[] p = x[0];
    float[] g = x[1];
    float[] m = x[2];
    float[] v = x[3];
    float beta1 = spec.beta1();
    float beta2 = spec.beta2();
    float size = lr / share;
    for (int i = 0; i < decayed; i++) {
      p[i] = p[i] * (1 - lr * spec.weightDecay());
    }
    for (int i = 0; i < length; i++) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      p[i] = p[i] - size * m[i] / ((float) Math.sqrt(v[i]) / root + spec.eps());
    }
  }

  private static int pieces(int n) {
    return (n + PIECE - 1) / PIECE;
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
    return () -> CpuParallel.run(pieces(n), n, body);
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
