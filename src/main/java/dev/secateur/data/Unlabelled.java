package dev.secateur.data;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * Images, or those of pairs, of which nothing more is known.
 *
 * @param of them, with labels of any kind
 */
public record Unlabelled(Dataset of) implements Dataset {
  @Override
  public int size() {
    return of.size();
  }

  @Override
  public int channels() {
    return of.channels();
  }

  @Override
  public int height() {
    return of.height();
  }

  @Override
  public int width() {
    return of.width();
  }

  @Override
  public List<String> classNames() {
    return List.of("image");
  }

  @Override
  public int label(int index) {
    return 0;
  }

  @Override
  public Labels labels() {
    return Labels.NONE;
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    return of.read(index, dst, offset);
  }
}
