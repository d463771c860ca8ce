package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/** Chosen channels and borders, of activations with channels innermost. */
final class CpuRearrange {
  private static final int POSITIONS_PER_TASK = 256;

  private CpuRearrange() {}

  static Kernel selectChannels(Tensor x, Tensor channels, Tensor y) {
    Check.channelsInnermost("input of a choice of channels", x);
    Check.channelsInnermost("chosen channels", y);
    CpuViews.requirePlain(channels, DType.I32, 1, "channels");
    int count = channels.shape().size(0);
    Check.shape("chosen channels", y, x.shape().with(1, count));
    int c = x.shape().size(1);
    int positions = Math.toIntExact(x.elements() / c);
    FloatBuffer from = CpuViews.floats(x);
    FloatBuffer to = CpuViews.floats(y);
    IntBuffer list = CpuViews.ints(channels);
    CpuBuffer[] used = CpuBuffer.distinct(x, channels, y);
    int[] chosen = new int[count];
    int each = Math.min(positions, POSITIONS_PER_TASK);
    float[][] in = new float[Parallel.slots()][each * c];
    float[][] out = new float[Parallel.slots()][each * count];
    int tasks = (positions + each - 1) / each;
    Parallel.Body body =
        (task, slot) -> {
          int first = task * each;
          int n = Math.min(each, positions - first);
          from.get(first * c, in[slot], 0, n * c);
          choose(in[slot], c, chosen, out[slot], n);
          to.put(first * count, out[slot], 0, n * count);
        };
    return () -> {
      CpuBuffer.requireOpen(used);
      list.get(0, chosen);
      Parallel.run(tasks, (long) positions * Math.max(c, count), body);
    };
  }

  private static void choose(float[] in, int channels, int[] chosen, float[] out, int positions) {
    for (int p = 0; p < positions; p++) {
      for (int j = 0; j < chosen.length; j++) {
        int i = chosen[j];
        out[p * chosen.length + j] = i < 0 || i >= channels ? 0 : in[p * channels + i];
      }
    }
  }

  static Kernel pad(Tensor x, int top, int left, float value, Tensor y) {
    Check.activation("input of a pad", x);
    Check.activation("padded activation", y);
    Shape xs = x.shape();
    Shape ys = y.shape();
    Check.shape("padded activation", y, xs.dim(0), xs.dim(1), ys.dim(2), ys.dim(3));
    int c = xs.size(1);
    int h = xs.size(2);
    int w = xs.size(3);
    int outH = ys.size(2);
    int outW = ys.size(3);
    FloatBuffer from = CpuViews.floats(x);
    FloatBuffer to = CpuViews.floats(y);
    CpuBuffer[] used = CpuBuffer.distinct(x, y);
    float[] border = new float[outW * c];
    Arrays.fill(border, value);
    int first = Math.min(outW, Math.max(0, left)); // columns of y with x in them
    int last = Math.max(first, Math.min(outW, left + w));
    Parallel.Body body =
        (task, slot) -> {
          int row = task % outH - top;
          int at = task * outW * c;
          if (row < 0 || row >= h || first == last) {
            to.put(at, border, 0, outW * c);
            return;
          }
          to.put(at, border, 0, first * c);
          int source = ((task / outH * h + row) * w + first - left) * c;
          to.put(at + first * c, from, source, (last - first) * c);
          to.put(at + last * c, border, 0, (outW - last) * c);
        };
    int tasks = ys.size(0) * outH;
    return () -> {
      CpuBuffer.requireOpen(used);
      Parallel.run(tasks, (long) tasks * outW * c, body);
    };
  }
}
