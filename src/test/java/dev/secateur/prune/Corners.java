package dev.secateur.prune;

import dev.secateur.data.Dataset;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.SplittableRandom;

/** Noise, brighter in the quarter that the label names. */
public record Corners(int size, int channels, int width) implements Dataset {
  @Override
  public int height() {
    return width;
  }

  @Override
  public List<String> classNames() {
    return List.of("0", "1", "2", "3");
  }

  @Override
  public int label(int index) {
    return index * 7 % 4;
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    SplittableRandom random = new SplittableRandom(index);
    int label = label(index);
    for (int k = 0; k < channels * width * width; k++) {
      boolean bottom = k / width % width >= width / 2;
      boolean right = k % width >= width / 2;
      boolean bright = bottom == label / 2 > 0 && right == label % 2 > 0;
      dst.put(offset + k, (byte) random.nextInt(bright ? 250 : 120));
    }
    return true;
  }
}
