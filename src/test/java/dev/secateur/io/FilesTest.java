package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.util.AtomicFile;
import dev.secateur.util.Checksums;
import dev.secateur.util.Folders;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The helpers that write, sum up and delete. */
class FilesTest {
  @TempDir Path dir;

  @Test
  void textIsWrittenInUtf8InThePlaceOfTheEarlierFile() throws IOException {
    Path file = dir.resolve("new/text.txt");
    AtomicFile.write(file, "an earlier, longer text");
    AtomicFile.write(file, "é雪\n");
    byte[] expected = {(byte) 0xc3, (byte) 0xa9, (byte) 0xe9, (byte) 0x9b, (byte) 0xaa, '\n'};
    assertArrayEquals(expected, Files.readAllBytes(file));
    assertEquals(1, file.getParent().toFile().list().length, "nothing is left beside it");
  }

  @Test
  void checksumsAreCrc32() throws IOException {
    assertEquals(0xcbf43926L, Checksums.crc32("123456789"), "the standard's check value");
    Path file = Files.write(dir.resolve("f"), "123456789".getBytes(StandardCharsets.US_ASCII));
    assertEquals(0xcbf43926L, Checksums.crc32(file));
  }

  @Test
  void aFolderGoesWithAllThatIsInIt() throws IOException {
    Path folder = dir.resolve("folder");
    Files.createDirectories(folder.resolve("a/b"));
    Files.writeString(folder.resolve("a/b/file"), "x");
    Files.writeString(folder.resolve("a file"), "x");
    Path outside = Files.writeString(dir.resolve("outside"), "x");
    Files.createSymbolicLink(folder.resolve("link"), outside);
    Folders.delete(folder);
    assertFalse(Files.exists(folder));
    assertTrue(Files.exists(outside), "a link goes, what it names stays");
    Folders.delete(folder); // not there: no failure
  }
}
