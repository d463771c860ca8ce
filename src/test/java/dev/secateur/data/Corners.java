package dev.secateur.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;

/** A data set that small networks learn in seconds: 16x16 grey images, four classes. */
public final class Corners {
  private Corners() {}

  /** Writes both splits as IDX files. */
  public static void write(Path dir, int train, int test) throws IOException {
    write(dir, "train", train, 1);
    write(dir, "t10k", test, 2);
  }

  /** Bright squares in one of four corners, with noise. */
  private static void write(Path dir, String part, int n, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    ByteBuffer images = ByteBuffer.allocate(16 + n * 256);
    images.putInt(0x803).putInt(n).putInt(16).putInt(16);
    ByteBuffer labels = ByteBuffer.allocate(8 + n);
    labels.putInt(0x801).putInt(n);
    for (int i = 0; i < n; i++) {
      int label = i % 4;
      labels.put((byte) label);
      for (int k = 0; k < 256; k++) {
        boolean corner = k / 16 / 8 == label / 2 && k % 16 / 8 == label % 2;
        images.put((byte) random.nextInt(corner ? 200 : 120));
      }
    }
    Files.write(dir.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(dir.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }
}
