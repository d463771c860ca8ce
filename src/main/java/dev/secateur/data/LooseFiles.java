package dev.secateur.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;

/**
 * A file an image.
 *
 * @param root that paths begin at
 * @param paths from the root, or absolute
 */
record LooseFiles(Path root, List<String> paths) implements ImageSource {
  @Override
  public String name(int index) {
    return paths.get(index);
  }

  private Path path(int index) {
    return root.resolve(paths.get(index));
  }

  @Override
  public long length(int index) throws IOException {
    return Files.size(path(index));
  }

  @Override
  public void read(int index, ByteBuffer dst, long position) throws IOException {
    try (FileChannel in = FileChannel.open(path(index), StandardOpenOption.READ)) {
      fill(in, dst, position);
    }
  }

  /** Reads as much as there is and there is room for. */
  static void fill(FileChannel in, ByteBuffer dst, long position) throws IOException {
    long at = position;
    while (dst.hasRemaining()) {
      int n = in.read(dst, at);
      if (n < 0) {
        return;
      }
      at += n;
    }
  }

  @Override
  public String stamp(int index) throws IOException {
    Path p = path(index);
    BasicFileAttributes a = Files.readAttributes(p, BasicFileAttributes.class);
    return p.toAbsolutePath() + " " + a.size() + " " + a.lastModifiedTime().toMillis();
  }
}
