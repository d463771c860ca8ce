package dev.secateur.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataSetsTest {
  @TempDir Path dir;

  private static byte[] images(int n) {
    ByteBuffer b = ByteBuffer.allocate(16 + n * 6);
    b.putInt(0x803).putInt(n).putInt(2).putInt(3);
    for (int i = 0; i < n * 6; i++) {
      b.put((byte) (200 + i));
    }
    return b.array();
  }

  private static byte[] labels(int n) {
    ByteBuffer b = ByteBuffer.allocate(8 + n);
    b.putInt(0x801).putInt(n);
    for (int i = 0; i < n; i++) {
      b.put((byte) (i % 3));
    }
    return b.array();
  }

  private void write(byte[] images, byte[] labels) throws IOException {
    try (OutputStream out =
        new GZIPOutputStream(Files.newOutputStream(dir.resolve("train-images-idx3-ubyte.gz")))) {
      out.write(images);
    }
    Files.write(dir.resolve("train-labels-idx1-ubyte"), labels);
  }

  @Test
  void idxFilesAreReadPlainAndPacked() throws IOException {
    write(images(30), labels(30));
    Dataset d = DataSets.open("idx:" + dir, Split.TRAIN);
    assertEquals(30, d.size());
    assertEquals("1x2x3", d.channels() + "x" + d.height() + "x" + d.width());
    assertEquals(3, d.classNames().size());
    assertEquals(1, d.label(4));
    ByteBuffer pixels = ByteBuffer.allocate(10);
    d.read(7, pixels, 2);
    assertEquals((byte) (200 + 42), pixels.get(2));
    assertEquals((byte) (200 + 47), pixels.get(7));
    assertEquals(0, pixels.get(8));
    HoldOut parts = HoldOut.of(d, 0.2, 5);
    assertEquals(24, parts.train().size());
    int[] perClass = new int[3];
    Set<Integer> seen = new HashSet<>();
    for (Dataset part : new Dataset[] {parts.held(), parts.train()}) {
      for (int i = 0; i < part.size(); i++) {
        part.read(i, pixels, 0);
        seen.add((int) pixels.get(0));
        perClass[part.label(i)] += part == parts.held() ? 1 : 0;
      }
    }
    assertEquals(30, seen.size(), "disjoint, and together everything");
    assertEquals("222", "" + perClass[0] + perClass[1] + perClass[2], "as many of each class");
  }

  @Test
  void damagedFilesAreNamedWithWhatWasExpected() throws IOException {
    write(images(30), labels(29));
    fails("29 labels; expected 30");
    write(java.util.Arrays.copyOf(images(30), 100), labels(30));
    fails("100 bytes; its header asks for 196");
    write(labels(30), labels(30));
    fails("is no IDX file of images");
    Files.write(dir.resolve("train-images-idx3-ubyte"), new byte[3]);
    fails("is no IDX file of images");
    Files.write(
        dir.resolve("train-images-idx3-ubyte"),
        ByteBuffer.allocate(16).putInt(0x803).putInt(1 << 30).putInt(1 << 30).putInt(9).array());
    fails("is impossible");
    assertTrue(
        assertThrows(SecateurException.class, () -> DataSets.open("x:y", Split.TRAIN))
            .getMessage()
            .contains("expected one of cifar10:DIR, fashion-mnist:DIR"));
  }

  private void fails(String message) {
    SecateurException e =
        assertThrows(SecateurException.class, () -> DataSets.open("idx:" + dir, Split.TRAIN));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertTrue(e.getMessage().contains("train-"), e.getMessage());
  }
}
