package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Optional;

/** {@link dev.secateur.device.Training#imitation}, a row a task. */
final class CpuImitation implements Kernel {
  private static final int PIECE = 4096;

  private final FloatBuffer output;
  private final FloatBuffer reference;
  private final IntBuffer labels;
  private final IntBuffer ends;
  private final int parts;
  private final DoubleBuffer metrics;
  private final Optional<FloatBuffer> gradient;
  private final int rows;
  private final int columns;
  private final double[] loss;
  private final float[][] own = new float[CpuParallel.slots()][PIECE];
  private final float[][] wanted = new float[CpuParallel.slots()][PIECE];
  private int counted;

  CpuImitation(
      Tensor output,
      Tensor reference,
      Tensor labels,
      Tensor ends,
      Tensor metrics,
      Optional<Tensor> gradient) {
    this.output = CpuViews.floats(output);
    this.reference = CpuViews.floats(reference);
    this.labels = CpuViews.ints(labels);
    this.ends = CpuViews.ints(ends);
    this.parts = Math.toIntExact(ends.elements());
    this.metrics = CpuViews.doubles(metrics);
    this.gradient = gradient.map(CpuViews::floats);
    rows = output.shape().size(0);
    columns = output.shape().size(1);
    loss = new double[rows];
  }

  @Override
  public void launch() {
    counted = 0;
    for (int i = 0; i < rows; i++) {
      counted += labels.get(i) >= 0 ? 1 : 0;
    }
    CpuParallel.run(rows, 4L * rows * columns, this::row);
    double sum = 0;
    double kept = 0;
    for (int i = 0; i < rows; i++) {
      if (labels.get(i) >= 0) {
        sum += loss[i];
        kept += Math.max(0, 1 - loss[i]);
      }
    }
    metrics.put(0, metrics.get(0) + sum);
    metrics.put(1, metrics.get(1) + kept);
    metrics.put(2, metrics.get(2) + kept);
    metrics.put(3, metrics.get(3) + counted);
  }

  private void row(int row, int slot) {
    loss[row] = 0;
    int from = 0;
    for (int p = 0; p < parts; p++) {
      int to = ends.get(p);
      double far = 0;
      double size = 1e-12 * (to - from);
      for (int at = from; at < to; at += PIECE) {
        int n = read(row, at, to, slot);
        for (int i = 0; i < n; i++) {
          double d = (double) own[slot][i] - wanted[slot][i];
          far += d * d;
          size += (double) wanted[slot][i] * wanted[slot][i];
        }
      }
      size *= parts;
      loss[row] += far / size;
      if (gradient.isPresent()) {
        differentiate(row, from, to, labels.get(row) < 0 ? 0 : 2 / (size * counted), slot);
      }
      from = to;
    }
  }

  private void differentiate(int row, int from, int to, double factor, int slot) {
    float[] x = own[slot];
    for (int at = from; at < to; at += PIECE) {
      int n = read(row, at, to, slot);
      for (int i = 0; i < n; i++) {
        x[i] = factor == 0 ? 0 : (float) (factor * ((double) x[i] - wanted[slot][i]));
      }
      gradient.get().put(row * columns + at, x, 0, n);
    }
  }

  /** A piece of both rows; how long it is. */
  private int read(int row, int at, int to, int slot) {
    int n = Math.min(PIECE, to - at);
    output.get(row * columns + at, own[slot], 0, n);
    reference.get(row * columns + at, wanted[slot], 0, n);
    return n;
  }
}
