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
  public byte[] bytes(int index) throws IOException {
    return Files.readAllBytes(path(index));
  }

  @Override
  public long ends(int index, ByteBuffer first, ByteBuffer last) throws IOException {
    try (FileChannel in = FileChannel.open(path(index), StandardOpenOption.READ)) {
      long size = in.size();
      ImageSource.fill(in, first, 0);
      ImageSource.fill(in, last, Math.max(0, size - last.remaining()));
      return size;
    }
  }

  @Override
  public String stamp(int index) throws IOException {
    Path p = path(index);
    BasicFileAttributes a = Files.readAttributes(p, BasicFileAttributes.class);
    return p.toAbsolutePath() + " " + a.size() + " " + a.lastModifiedTime().toMillis();
  }
}
