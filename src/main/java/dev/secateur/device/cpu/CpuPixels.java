package dev.secateur.device.cpu;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Optional;

/** The network's input: crop, flip, scale, shift and change of layout in one pass. */
final class CpuPixels implements Kernel {
  private final ByteBuffer pixels;
  private final Optional<IntBuffer> crops;
  private final FloatBuffer scale;
  private final FloatBuffer shift;
  private final FloatBuffer y;
  private final int padding;
  private final int images;
  private final int channels;

  /** Channels of y; those without pixels stay zero. */
  private final int wide;

  private final int height;
  private final int width;
  private final boolean perPosition;
  private final float[] scales;
  private final float[] shifts;
  private final byte[][] source;
  private final float[][] target;

  CpuPixels(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    images = y.shape().size(0);
    channels = pixels.shape().size(1);
    wide = y.shape().size(1);
    height = y.shape().size(2);
    width = y.shape().size(3);
    perPosition = scale.shape().rank() == 3;
    this.pixels = CpuViews.bytes(pixels);
    this.crops = crops.map(CpuViews::ints);
    this.padding = padding;
    this.scale = CpuViews.floats(scale);
    this.shift = CpuViews.floats(shift);
    this.y = CpuViews.floats(y);
    scales = new float[Math.toIntExact(scale.elements())];
    shifts = new float[scales.length];
    int image = Math.multiplyExact(channels, Math.multiplyExact(height, width));
    source = new byte[CpuParallel.slots()][image];
    target = new float[CpuParallel.slots()][Math.multiplyExact(wide, height * width)];
  }

  @Override
  public void launch() {
    scale.get(0, scales);
    shift.get(0, shifts);
    CpuParallel.run(images, (long) images * channels * height * width, this::image);
  }

  private void image(int n, int slot) {
    byte[] in = source[slot];
    float[] out = target[slot];
    pixels.get(n * in.length, in);
    int top = 0;
    int left = 0;
    boolean flip = false;
    if (crops.isPresent()) {
      IntBuffer c = crops.get();
      top = c.get(3 * n) - padding;
      left = c.get(3 * n + 1) - padding;
      flip = c.get(3 * n + 2) != 0;
    }
    for (int c = 0; c < channels; c++) {
      for (int row = 0; row < height; row++) {
        row(in, out, c, row, row + top, left, flip);
      }
    }
    y.put(n * out.length, out);
  }

  private void row(byte[] in, float[] out, int c, int row, int sourceRow, int left, boolean flip) {
    int from = (c * height + sourceRow) * width;
    boolean inside = sourceRow >= 0 && sourceRow < height;
    int to = c + row * width * wide;
    int direction = flip ? -1 : 1;
    int column = flip ? left + width - 1 : left;
    if (perPosition) {
      int at = (c * height + row) * width;
      for (int x = 0; x < width; x++, column += direction) {
        boolean hit = inside && column >= 0 && column < width;
        float v = hit ? in[from + column] & 0xff : 0f;
        out[to + x * wide] = v * scales[at + x] + shifts[at + x];
      }
    } else {
      float s = scales[c];
      float b = shifts[c];
      for (int x = 0; x < width; x++, column += direction) {
        boolean hit = inside && column >= 0 && column < width;
        float v = hit ? in[from + column] & 0xff : 0f;
        out[to + x * wide] = v * s + b;
      }
    }
  }
}
