package dev.secateur.data;

import dev.secateur.tensor.Shape;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Where there are no images: criteria on weights need none.
 *
 * @param image (C,H,W) that the network would take
 */
public record NoImages(Shape image) implements Dataset {
  @Override
  public int size() {
    return 0;
  }

  @Override
  public int channels() {
    return image.size(0);
  }

  @Override
  public int height() {
    return image.size(1);
  }

  @Override
  public int width() {
    return image.size(2);
  }

  @Override
  public List<String> classNames() {
    return List.of();
  }

  @Override
  public int label(int index) {
    throw new IndexOutOfBoundsException(index);
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    throw new IndexOutOfBoundsException(index);
  }
}
