package dev.secateur.data;

import java.nio.ByteBuffer;
import java.util.List;

/** Another data set, but for what a subclass says otherwise. */
public abstract class ForwardingDataset implements Dataset {
  private final Dataset of;

  protected ForwardingDataset(Dataset of) {
    this.of = of;
  }

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
    return of.classNames();
  }

  @Override
  public int label(int index) {
    return of.label(index);
  }

  @Override
  public Labels labels() {
    return of.labels();
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    return of.read(index, dst, offset);
  }

  @Override
  public boolean hasViews() {
    return of.hasViews();
  }

  @Override
  public boolean read(int index, View view, ByteBuffer dst, int offset) {
    return of.read(index, view, dst, offset);
  }
}
