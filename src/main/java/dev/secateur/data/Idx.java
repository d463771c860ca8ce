package dev.secateur.data;

import dev.secateur.SecateurException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.IntStream;

/** Images and labels in IDX files (MNIST, Fashion-MNIST): one channel, one byte a pixel. */
final class Idx implements Dataset {
  private static final int IMAGES = 0x803;
  private static final int LABELS = 0x801;
  private final int height;
  private final int width;
  private final byte[] images;
  private final byte[] labels;
  private final List<String> names;

  private Idx(int height, int width, byte[] images, byte[] labels, List<String> names) {
    this.height = height;
    this.width = width;
    this.images = images;
    this.labels = labels;
    this.names = names;
  }

  /**
   * @param names of the classes, or none to number them
   * @throws SecateurException when a file is not whole or the two do not fit
   */
  static Idx of(
      String imageFile, byte[] images, String labelFile, byte[] labels, List<String> names) {
    int[] size = header(imageFile, images, IMAGES, 3);
    int n = header(labelFile, labels, LABELS, 1)[0];
    if (n != size[0]) {
      throw new SecateurException(
          labelFile + ": " + n + " labels; expected " + size[0] + ", as many as images");
    }
    int classes = 0;
    for (int i = 8; i < labels.length; i++) {
      classes = Math.max(classes, (labels[i] & 255) + 1);
    }
    if (!names.isEmpty() && classes > names.size()) {
      throw new SecateurException(
          labelFile + ": label " + (classes - 1) + "; expected 0 to " + (names.size() - 1));
    }
    List<String> all =
        names.isEmpty() ? IntStream.range(0, classes).mapToObj(Integer::toString).toList() : names;
    return new Idx(size[1], size[2], images, labels, all);
  }

  private static int[] header(String file, byte[] bytes, int magic, int rank) {
    int head = 4 + 4 * rank;
    ByteBuffer b = ByteBuffer.wrap(bytes);
    if (bytes.length < head || b.getInt(0) != magic) {
      throw new SecateurException(
          file + ": is no IDX file of " + (rank == 3 ? "images" : "labels") + " (magic number)");
    }
    int[] size = new int[rank];
    long expected = 1;
    for (int i = 0; i < rank; i++) {
      size[i] = b.getInt(4 + 4 * i);
      if (size[i] <= 0 || expected > Integer.MAX_VALUE / size[i]) {
        throw new SecateurException(file + ": extent " + size[i] + " in its header is impossible");
      }
      expected *= size[i];
    }
    if (bytes.length != head + expected) {
      throw new SecateurException(
          file + ": " + bytes.length + " bytes; its header asks for " + (head + expected));
    }
    return size;
  }

  @Override
  public int size() {
    return labels.length - 8;
  }

  @Override
  public int channels() {
    return 1;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public List<String> classNames() {
    return names;
  }

  @Override
  public int label(int index) {
    return labels[8 + index] & 255;
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    dst.put(offset, images, 16 + index * height * width, height * width);
    return true;
  }
}
