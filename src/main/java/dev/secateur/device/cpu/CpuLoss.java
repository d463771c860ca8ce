package dev.secateur.device.cpu;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
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
  private final float[][] scratch;
  private final double[] loss;
  private final int[] rank;
  private int counted;

  CpuLoss(Tensor logits, Tensor labels, float smoothing, Tensor metrics, Optional<Tensor> dlogits) {
    rows = logits.shape().size(0);
    classes = logits.shape().size(1);
    if (dlogits.isPresent()) {
      boolean alike = dlogits.get().shape().equals(logits.shape());
    }
    this.logits = CpuViews.floats(logits);
    this.labels = CpuViews.ints(labels);
    this.metrics = CpuViews.doubles(metrics);
    this.gradient = dlogits.map(CpuViews::floats);
    this.smoothing = smoothing;
    scratch = new float[CpuParallel.slots()][classes];
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
      score(x, i, label);
    } else {
      Arrays.fill(x, 0f);
    }
    if (gradient.isPresent()) {
      gradient.get().put(i * classes, x);
    }
  }

  /** Loss and rank of the label; x becomes the gradient. */
  private void score(float[] x, int i, int label) {
    float target = x[label];
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
    double total = 0;
    for (int k = 0; k < classes; k++) {
      double e = Math.exp(x[k] - max);
      x[k] = (float) e;
      total += e;
    }
    double each = smoothing / classes;
    loss[i] = Math.log(total) + max - (1 - smoothing) * target - each * sum;
    double share = 1.0 / counted;
    double inverse = 1.0 / total;
    for (int k = 0; k < classes; k++) {
      double wanted = k == label ? 1 - smoothing + each : each;
      x[k] = (float) ((x[k] * inverse - wanted) * share);
    }
  }
}
