package dev.secateur.data;

import java.nio.ByteBuffer;
import java.util.List;

/** Some images of another data set, by their indices there; of pairs, whole ones. */
final class Subset implements Dataset {
  private final Dataset all;
  private final int[] indices;

  Subset(Dataset all, int[] indices) {
    this.all = all;
    this.indices = indices.clone();
  }

  @Override
  public int size() {
    return indices.length;
  }

  @Override
  public int channels() {
    return all.channels();
  }

  @Override
  public int height() {
    return all.height();
  }

  @Override
  public int width() {
    return all.width();
  }

  @Override
  public List<String> classNames() {
    return all.classNames();
  }

  @Override
  public int label(int index) {
    return all.label(indices[index]);
  }

  @Override
  public Labels labels() {
    return all.labels();
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    return all.read(indices[index], dst, offset);
  }
}
