package dev.secateur.data;

import java.nio.ByteBuffer;
import java.util.List;

/** CIFAR-10 in its binary version: records of a label byte and 3x32x32 pixel bytes. */
final class Cifar10 implements Dataset {
  static final int RECORD = 3073;
  private static final List<String> CLASSES =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");
  private final byte[] records;

  Cifar10(byte[] records) {
    this.records = records;
  }

  @Override
  public int size() {
    return records.length / RECORD;
  }

  @Override
  public int channels() {
    return 3;
  }

  @Override
  public int height() {
    return 32;
  }

  @Override
  public int width() {
    return 32;
  }

  @Override
  public List<String> classNames() {
    return CLASSES;
  }

  @Override
  public int label(int index) {
    return records[index * RECORD];
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    dst.put(offset, records, index * RECORD + 1, RECORD - 1);
    return true;
  }
}
