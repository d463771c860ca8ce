package dev.secateur.device.cpu;

import dev.secateur.SecateurException;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/**
 * {@link dev.secateur.device.Pls#accumulateFeatures}. Threads share out the columns, so that the
 * sums do not depend on how many there are; a batch is summed in floats, in heap arrays that stay
 * in the cache.
 */
final class CpuFeatureSums implements Kernel {
  private static final int COLUMNS = 512;

  private final FloatBuffer x;
  private final IntBuffer labels;
  private final FloatBuffer shift;
  private final FloatBuffer out;
  private final DoubleBuffer sums;
  private final DoubleBuffer counts;
  private final DoubleBuffer squares;
  private final int n;
  private final int p;
  private final int q;
  private final int width;
  private final int[] label;
  private final Scratch[] scratch;
  private final CpuParallel.Body body = this::columns;

  /** One thread's arrays: a row, its shifts, the classes' sums and the squares. */
  record Scratch(float[] row, float[] shift, float[] zeros, float[][] sums, float[] squares) {}

  /** The threads' arrays, shared by all kernels of a device of one size: they run one by one. */
  static final class SharedScratch {
    private Scratch[] latest = {};

    private Scratch[] of(int q, int width) {
      if (latest.length == 0 || latest[0].sums().length != q || latest[0].row().length != width) {
        latest = new Scratch[CpuParallel.slots()];
        for (int i = 0; i < latest.length; i++) {
          latest[i] =
              new Scratch(
                  new float[width],
                  new float[width],
                  new float[width],
                  new float[q][width],
                  new float[width]);
        }
      }
      return latest;
    }
  }

  CpuFeatureSums(
      SharedScratch scratch,
      Tensor x,
      Tensor labels,
      Tensor shift,
      Tensor out,
      Tensor sums,
      Tensor counts,
      Tensor squares) {
    n = x.shape().size(0);
    p = x.shape().size(1);
    q = sums.shape().size(0);
    this.x = CpuViews.floats(x);
    this.labels = CpuViews.ints(labels);
    this.shift = CpuViews.floats(shift);
    this.out = CpuViews.floats(out);
    this.sums = CpuViews.doubles(sums);
    this.counts = CpuViews.doubles(counts);
    this.squares = CpuViews.doubles(squares);
    width = Math.min(COLUMNS, (p + CpuParallel.slots() - 1) / CpuParallel.slots());
    label = new int[n];
    this.scratch = scratch.of(q, width);
  }

  @Override
  public void launch() {
    labels.get(0, label);
    for (int l : label) {
      if (l >= q) {
        throw new SecateurException("label " + l + ", expected 0.." + (q - 1));
      }
      if (l >= 0) {
        counts.put(l, counts.get(l) + 1);
      }
    }
    CpuParallel.run((p + width - 1) / width, (long) n * p, body);
  }

  private void columns(int part, int slot) {
    Scratch s = scratch[slot];
    int first = part * width;
    int length = Math.min(width, p - first);
    shift.get(first, s.shift(), 0, length);
    Arrays.fill(s.squares(), 0);
    for (float[] sum : s.sums()) {
      Arrays.fill(sum, 0);
    }
    for (int i = 0; i < n; i++) {
      if (label[i] < 0) {
        out.put(i * p + first, s.zeros(), 0, length);
        continue;
      }
      x.get(i * p + first, s.row(), 0, length);
      add(s.row(), s.shift(), s.sums()[label[i]], s.squares(), length);
      out.put(i * p + first, s.row(), 0, length);
    }
    for (int l = 0; l < q; l++) {
      addTo(sums, l * p + first, s.sums()[l], length);
    }
    addTo(squares, first, s.squares(), length);
  }

  private static void add(float[] row, float[] shift, float[] sum, float[] squares, int length) {
    for (int j = 0; j < length; j++) {
      float v = row[j] - shift[j];
      row[j] = v;
      sum[j] += v;
      squares[j] += v * v;
    }
  }

  private static void addTo(DoubleBuffer to, int at, float[] values, int length) {
    for (int j = 0; j < length; j++) {
      to.put(at + j, to.get(at + j) + values[j]);
    }
  }
}
