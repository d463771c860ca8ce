package dev.secateur.device.cpu;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
import dev.secateur.device.Targets;
import dev.secateur.tensor.Tensor;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.Optional;

/** Softmax cross-entropy with its gradient and the counts of hits. */
final class CpuLoss implements Kernel {
  private final FloatBuffer logits;
  private final IntBuffer labels;
  private final DoubleBuffer metrics;
  private final Optional<FloatBuffer> gradient;
  private final int rows;
  private final int classes;
  private final double smoothing;
  private final Optional<IntBuffer> seconds;
  private final Optional<FloatBuffer> shares;
  private final Optional<FloatBuffer> teacher;
  private final double temperature;
  private final double weight;
  private final float[][] scratch;

  /** The teacher's logits, and the gradient of the divergence. */
  private final float[][] taught;

  private final double[][] soft;
  private final double[] loss;
  private final int[] rank;
  private int counted;

  CpuLoss(Tensor logits, Tensor labels, Targets targets, Tensor metrics, Optional<Tensor> dlogits) {
    rows = logits.shape().size(0);
    classes = logits.shape().size(1);
    this.logits = CpuViews.floats(logits);
    this.labels = CpuViews.ints(labels);
    this.metrics = CpuViews.doubles(metrics);
    this.gradient = dlogits.map(CpuViews::floats);
    smoothing = targets.smoothing();
    seconds = targets.mix().map(m -> CpuViews.ints(m.labels()));
    shares = targets.mix().map(m -> CpuViews.floats(m.shares()));
    teacher = targets.teacher().map(t -> CpuViews.floats(t.logits()));
    temperature = targets.teacher().map(t -> (double) t.temperature()).orElse(1.0);
    weight = targets.teacher().map(t -> (double) t.weight()).orElse(0.0);
    scratch = new float[CpuParallel.slots()][classes];
    taught = new float[CpuParallel.slots()][teacher.isPresent() ? classes : 0];
    soft = new double[CpuParallel.slots()][teacher.isPresent() ? classes : 0];
    loss = new double[rows];
    rank = new int[rows];
  }

  @Override
  public void launch() {
    counted = 0;
    for (int i = 0; i < rows; i++) {
      int label = labels.get(i);
      if (label >= classes) {
        throw new SecateurException(
            "label "
                + label
                + " but the network has "
                + classes
                + " classes (0.."
                + (classes - 1)
                + ")");
      }
      counted += label >= 0 ? 1 : 0;
    }
    CpuParallel.run(rows, 16L * rows * classes, this::row);
    double sum = 0;
    int top1 = 0;
    int top5 = 0;
    for (int i = 0; i < rows; i++) {
      if (labels.get(i) >= 0) {
        sum += loss[i];
        top1 += rank[i] < 1 ? 1 : 0;
        top5 += rank[i] < 5 ? 1 : 0;
      }
    }
    metrics.put(0, metrics.get(0) + sum);
    metrics.put(1, metrics.get(1) + top1);
    metrics.put(2, metrics.get(2) + top5);
    metrics.put(3, metrics.get(3) + counted);
  }

  private void row(int i, int slot) {
    float[] x = scratch[slot];
    int label = labels.get(i);
    if (label >= 0) {
      logits.get(i * classes, x);
      score(x, i, label, slot);
    } else {
      Arrays.fill(x, 0f);
    }
    if (gradient.isPresent()) {
      gradient.get().put(i * classes, x);
    }
  }

  /** Loss and rank of the label; x becomes the gradient. */
  private void score(float[] x, int i, int label, int slot) {
    float target = x[label];
    int second = seconds.isPresent() ? seconds.get().get(i) : label;
    double part = shares.isPresent() ? shares.get().get(i) : 1;
    double hit = part * target + (1 - part) * x[second];
    float max = x[0];
    double sum = 0;
    int ahead = target == target ? 0 : classes;
    for (int k = 0; k < classes; k++) {
      float v = x[k];
      max = Math.max(max, v);
      sum += v;
      // NaN counts as larger, as in PyTorch
      if (v != v || v > target || (v == target && k < label)) {
        ahead++;
      }
    }
    rank[i] = ahead;
    double divergence = teacher.isPresent() ? imitate(x, max, i, slot) : 0;
    double rest = 1 - weight;
    double total = 0;
    for (int k = 0; k < classes; k++) {
      double e = Math.exp(x[k] - max);
      x[k] = (float) e;
      total += e;
    }
    double each = smoothing / classes;
    loss[i] =
        rest * (Math.log(total) + max - (1 - smoothing) * hit - each * sum)
            + weight * temperature * temperature * divergence;
    double share = 1.0 / counted;
    double inverse = 1.0 / total;
    for (int k = 0; k < classes; k++) {
      double wanted =
          each
              + (k == label ? (1 - smoothing) * part : 0)
              + (k == second ? (1 - smoothing) * (1 - part) : 0);
      double g = rest * (x[k] * inverse - wanted);
      g += teacher.isPresent() ? weight * temperature * soft[slot][k] : 0;
      x[k] = (float) (g * share);
    }
  }

  /**
   * The divergence from the teacher at the temperature, KL(teacher || student).
   *
   * @param max of x; soft becomes the difference of the two distributions
   */
  private double imitate(float[] x, float max, int i, int slot) {
    float[] t = taught[slot];
    double[] difference = soft[slot];
    teacher.get().get(i * classes, t);
    float high = t[0];
    for (float v : t) {
      high = Math.max(high, v);
    }
    double own = 0;
    double wise = 0;
    for (int k = 0; k < classes; k++) {
      own += Math.exp((x[k] - max) / temperature);
      wise += Math.exp((t[k] - high) / temperature);
    }
    double logOwn = Math.log(own);
    double logWise = Math.log(wise);
    double divergence = 0;
    for (int k = 0; k < classes; k++) {
      double q = (x[k] - max) / temperature - logOwn;
      double p = (t[k] - high) / temperature - logWise;
      divergence += Math.exp(p) * (p - q);
      difference[k] = Math.exp(q) - Math.exp(p);
    }
    return divergence;
  }
}
