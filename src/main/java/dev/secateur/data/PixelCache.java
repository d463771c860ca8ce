package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * Decoded images in a file: a header of {@value #HEADER} bytes, for each image the CRC-32C of its
 * pixels (0: not there), for each image its C*H*W bytes. It has its whole length from the
 * beginning, as a hole, and is filled as images are read; several processes may do so at once. An
 * image counts when its checksum is right, so one that was cut off by a kill or damaged on disk is
 * decoded again. It is read, not mapped: a disk that fails or fills up is then an error like any
 * other.
 */
final class PixelCache {
  private static final int HEADER = 4096;

  private final Path file;
  private final FileChannel channel;
  private final long checksums = HEADER;
  private final long pixels;
  private final int bytes;
  private final Consumer<String> told;
  private volatile boolean full;

  /**
   * @param identity of the images and of what was made of them, a line
   * @param name of the file, which follows from that
   * @param bytes an image has
   * @param told a line where nothing more can be kept
   * @throws SecateurException for a file of something else
   */
  PixelCache(
      Path folder, String name, String identity, int images, int bytes, Consumer<String> told)
      throws IOException {
    this.file = folder.resolve(name);
    this.bytes = bytes;
    this.pixels = checksums + 4L * images;
    this.told = told;
    Files.createDirectories(folder);
    channel =
        FileChannel.open(
            file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
    try {
      ByteBuffer wanted = ByteBuffer.allocate(HEADER);
      wanted.put(0, ("secateur pixels 1 " + identity + "\n").getBytes(StandardCharsets.UTF_8));
      ByteBuffer found = ByteBuffer.allocate(HEADER);
      ImageSource.fill(channel, found, 0);
      if (found.position() == 0 || found.get(0) == 0) {
        write(wanted.duplicate(), 0);
      } else if (!found.flip().equals(wanted)) {
        throw new SecateurException(file + ": no cache of these images; delete it");
      }
      long end = pixels + (long) images * bytes;
      if (channel.size() < end) {
        write(ByteBuffer.allocate(1), end - 1);
      }
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Whether the image was there. */
  boolean read(int index, ByteBuffer dst, int offset) {
    try {
      ByteBuffer sum = ByteBuffer.allocate(4);
      ImageSource.fill(channel, sum, checksums + 4L * index);
      if (sum.position() < 4 || sum.getInt(0) == 0) {
        return false;
      }
      ByteBuffer image = dst.slice(offset, bytes);
      ImageSource.fill(channel, image, pixels + (long) index * bytes);
      return image.position() == bytes && sum.getInt(0) == checksum(image.flip());
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + e.getMessage(), e);
    }
  }

  /** Keeps an image, unless there is no room. */
  void put(int index, ByteBuffer src, int offset) {
    if (full) {
      return;
    }
    try {
      ByteBuffer image = src.slice(offset, bytes);
      write(image.duplicate(), pixels + (long) index * bytes);
      write(ByteBuffer.allocate(4).putInt(0, checksum(image)), checksums + 4L * index);
    } catch (IOException e) {
      synchronized (this) {
        if (!full) {
          full = true;
          told.accept(
              file + ": nothing more is kept of images (" + e.getMessage() + "); they are decoded");
        }
      }
    }
  }

  private static int checksum(ByteBuffer image) {
    CRC32C sum = new CRC32C();
    sum.update(image);
    int value = (int) sum.getValue();
    return value == 0 ? 1 : value;
  }

  private void write(ByteBuffer src, long position) throws IOException {
    while (src.hasRemaining()) {
      position += channel.write(src, position);
    }
  }
}
