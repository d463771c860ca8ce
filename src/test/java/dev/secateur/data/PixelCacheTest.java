package dev.secateur.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PixelCacheTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  private static final int BYTES = 3 * 16 * 16;
  private static final FileTime LONG_AGO = FileTime.fromMillis(1_000_000_000_000L);

  @TempDir Path dir;
  private final List<String> told = new ArrayList<>();

  @BeforeEach
  void images() throws IOException {
    Files.createDirectories(dir.resolve("images"));
    for (String f : List.of("rgb-444.jpg", "rgb-420.jpg", "rgba.png", "gray.jpg")) {
      Files.copy(FIXTURES.resolve(f), dir.resolve("images").resolve(f));
      Files.setLastModifiedTime(dir.resolve("images").resolve(f), LONG_AGO);
    }
  }

  private Dataset open(String options) throws IOException {
    return DataSets.open(
        "images:" + dir.resolve("images") + "?size=16" + options,
        Split.TRAIN,
        Optional.empty(),
        new Unreadable(false, told::add));
  }

  private Dataset cached() throws IOException {
    return open("&cache=" + dir.resolve("cache"));
  }

  private static byte[] pixels(Dataset d, int index) {
    ByteBuffer out = ByteBuffer.allocateDirect(BYTES + 2);
    assertTrue(d.read(index, out, 1));
    assertEquals(0, out.get(0));
    assertEquals(0, out.get(BYTES + 1));
    byte[] got = new byte[BYTES];
    out.get(1, got);
    return got;
  }

  private Path file() throws IOException {
    try (Stream<Path> in = Files.list(dir.resolve("cache"))) {
      return in.findFirst().orElseThrow();
    }
  }

  /** A file that cannot be decoded any more, though it looks as it did. */
  private void spoil(String name) throws IOException {
    Path f = dir.resolve("images").resolve(name);
    byte[] bytes = Files.readAllBytes(f);
    java.util.Arrays.fill(bytes, 20, bytes.length - 2, (byte) 0);
    Files.write(f, bytes);
    Files.setLastModifiedTime(f, LONG_AGO);
  }

  @Test
  void imagesAreDecodedOnce() throws IOException {
    Dataset plain = open("");
    Dataset first = cached();
    for (int turn = 0; turn < 2; turn++) {
      for (int i = 0; i < 4; i++) {
        assertArrayEquals(pixels(plain, i), pixels(first, i));
      }
    }
    byte[] want = pixels(plain, 2);
    spoil("rgb-444.jpg");
    assertFalse(plain.read(2, ByteBuffer.allocate(BYTES), 0), "a JPEG without its data");
    assertArrayEquals(want, pixels(cached(), 2));
    assertEquals(1, told.size(), told::toString);
  }

  @Test
  void whatIsDamagedIsDecodedAgain() throws IOException {
    Dataset d = cached();
    byte[][] want = IntStream.range(0, 4).mapToObj(i -> pixels(d, i)).toArray(byte[][]::new);
    byte[] whole = Files.readAllBytes(file());
    assertEquals(4096 + 4 * 4 + 4 * BYTES, whole.length);
    for (int at : new int[] {4096, 4096 + 5, 4096 + 16, whole.length - 1}) {
      byte[] bad = whole.clone();
      bad[at] ^= 1;
      Files.write(file(), bad);
      for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 4; i++) {
          assertArrayEquals(want[i], pixels(cached(), i));
        }
        assertArrayEquals(whole, Files.readAllBytes(file()), "mended");
      }
    }
    for (int length : new int[] {0, 100, 4096, 4096 + 16 + BYTES + 7}) { // a kill, a full disk
      Files.write(file(), java.util.Arrays.copyOf(whole, length));
      if (length == 100) {
        assertThrows(SecateurException.class, this::cached);
        continue;
      }
      for (int i = 0; i < 4; i++) {
        assertArrayEquals(want[i], pixels(cached(), i));
      }
      assertArrayEquals(whole, Files.readAllBytes(file()));
    }
  }

  /** Other files, or another size, are another cache. */
  @Test
  void whatChangedIsNotTakenForTheSame() throws IOException {
    byte[] old = pixels(cached(), 0);
    Path f = dir.resolve("images/gray.jpg");
    Files.copy(
        FIXTURES.resolve("rgb-420.jpg"), f, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    byte[] now = pixels(cached(), 0);
    assertFalse(java.util.Arrays.equals(old, now));
    assertArrayEquals(pixels(open(""), 0), now);
    open("&resize=30&cache=" + dir.resolve("cache"));
    try (Stream<Path> in = Files.list(dir.resolve("cache"))) {
      assertEquals(3, in.count());
    }
  }

  @Test
  void manyReadersFillOneFile() throws IOException {
    List<Dataset> all = List.of(cached(), cached());
    byte[][] want = new byte[4][];
    for (int i = 0; i < 4; i++) {
      want[i] = pixels(open(""), i);
    }
    IntStream.range(0, 400)
        .parallel()
        .forEach(i -> assertArrayEquals(want[i / 2 % 4], pixels(all.get(i % 2), i / 2 % 4)));
  }

  @Test
  void aFolderThatCannotBeIsToldInALine() throws IOException {
    Files.createFile(dir.resolve("cache"));
    Exception e = assertThrows(SecateurException.class, this::cached);
    String want = dir.resolve("cache") + ": images cannot be kept there: ";
    assertTrue(e.getMessage().startsWith(want), e.getMessage());
  }
}
