package dev.secateur.data;

import java.nio.ByteBuffer;

/** Some images of another data set, by their indices there; of pairs, whole ones. */
final class Subset extends ForwardingDataset {
  private final int[] indices;

  Subset(Dataset all, int[] indices) {
    super(all);
    this.indices = indices.clone();
  }

  @Override
  public int size() {
    return indices.length;
  }

  @Override
  public int label(int index) {
    return super.label(indices[index]);
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    return super.read(indices[index], dst, offset);
  }

  @Override
  public boolean read(int index, View view, ByteBuffer dst, int offset) {
    return super.read(indices[index], view, dst, offset);
  }
}
