package dev.secateur.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Archives are made by the tar program. */
class TarShardsTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  private static final int BYTES = 3 * 16 * 16;
  @TempDir Path dir;
  private final List<String> told = Collections.synchronizedList(new ArrayList<>());

  private void put(String fixture, String to) throws IOException {
    Path p = dir.resolve("in").resolve(to);
    Files.createDirectories(p.getParent());
    Files.copy(FIXTURES.resolve(fixture), p);
  }

  private void write(String text, String to) throws IOException {
    Path p = dir.resolve("in").resolve(to);
    Files.createDirectories(p.getParent());
    Files.writeString(p, text);
  }

  private Path tar(String archive, String format, String... names) throws Exception {
    Path out = dir.resolve(archive);
    Files.createDirectories(out.getParent());
    List<String> command =
        new ArrayList<>(List.of("tar", "--format=" + format, "-cf", out.toString()));
    command.addAll(List.of(names));
    Process p =
        new ProcessBuilder(command).directory(dir.resolve("in").toFile()).inheritIO().start();
    assertEquals(0, p.waitFor());
    return out;
  }

  private Dataset open(String place, Split split, String options) throws IOException {
    return DataSets.open(
        "tar:" + dir.resolve(place) + "?size=16" + options,
        split,
        Optional.empty(),
        new Unreadable(false, told::add));
  }

  private static byte[] pixels(Dataset d, int index) {
    ByteBuffer out = ByteBuffer.allocate(BYTES);
    assertTrue(d.read(index, out, 0));
    return out.array();
  }

  private static String labels(Dataset d) {
    StringBuilder out = new StringBuilder();
    IntStream.range(0, d.size()).forEach(i -> out.append(d.label(i)));
    return out.toString();
  }

  /** What the folder reader makes of the same files. */
  private byte[] expected(String fixture) throws IOException {
    Path only = dir.resolve("only-" + fixture).resolve("x");
    if (!Files.exists(only)) {
      Files.createDirectories(only);
      Files.copy(FIXTURES.resolve(fixture), only.resolve(fixture));
    }
    return pixels(DataSets.open("images:" + only + "?size=16", Split.TRAIN), 0);
  }

  @Test
  void shardsOfWebDataset() throws Exception {
    put("rgb-444.jpg", "s/0001.jpg");
    write("2\n", "s/0001.cls");
    write("{}", "s/0001.json");
    put("rgba.png", "s/0002.seg.png");
    write("0", "s/0002.cls");
    put("gray.jpg", "0003.JPEG");
    write(" 1 ", "0003.cls");
    for (String format : List.of("gnu", "ustar", "pax")) {
      tar(format + "/a-08.tar", format, "s/0001.jpg", "s/0001.cls", "s/0001.json");
      tar(format + "/a-09.tar", format, "s/0002.cls", "s/0002.seg.png");
      tar(format + "/a-10.tar", format, "0003.JPEG", "0003.cls");
      Dataset d = open(format + "/a-{08..10}.tar", Split.TEST, "");
      assertEquals("201", labels(d));
      assertEquals(List.of("0", "1", "2"), d.classNames());
      assertArrayEquals(expected("rgb-444.jpg"), pixels(d, 0));
      assertArrayEquals(expected("rgba.png"), pixels(d, 1));
      assertArrayEquals(expected("gray.jpg"), pixels(d, 2));
      assertTrue(d.hasViews());
    }
    String cache = "&cache=" + dir.resolve("cache");
    byte[] first = pixels(open("gnu/a-08.tar", Split.TRAIN, cache), 0);
    assertArrayEquals(first, pixels(open("gnu/a-08.tar", Split.TRAIN, cache), 0));
    assertEquals(List.of(), told);
  }

  @Test
  void foldersInArchivesAreClasses() throws Exception {
    put("rgb-444.jpg", "n02/1.jpg");
    put("gray.jpg", "n01/1.jpg");
    put("gray.jpg", "n01/.hidden.jpg");
    String deep = "a-folder-whose-name-is-long/".repeat(5); // longer than a header's name
    put("gray.jpg", deep + "n03/1.jpg");
    tar("set/x-train-0.tar", "gnu", "n02", "n01");
    tar("set/x-train-1.tar", "pax", "a-folder-whose-name-is-long");
    tar("set/x-val.tar", "gnu", "n01");
    Dataset d = open("set", Split.TRAIN, "");
    assertEquals(List.of("n01", "n02", "n03"), d.classNames());
    assertEquals("102", labels(d));
    assertArrayEquals(expected("gray.jpg"), pixels(d, 2));
    assertEquals("0", labels(open("set", Split.TEST, "")));
    Path names = Files.writeString(dir.resolve("names"), "n09\nn01\nn02\nn03\n");
    assertEquals("213", labels(open("set", Split.TRAIN, "&classes=" + names)));
    Files.createDirectories(dir.resolve("parted/valid"));
    Files.copy(dir.resolve("set/x-val.tar"), dir.resolve("parted/valid/0.tar"));
    assertEquals(1, open("parted", Split.TEST, "").size());
  }

  private void fails(String message, String place, String options) {
    SecateurException e =
        assertThrows(SecateurException.class, () -> open(place, Split.TRAIN, options));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
  }

  @Test
  void whatIsNotAsExpectedIsToldInALine() throws Exception {
    put("gray.jpg", "1.jpg");
    write("7", "1.cls");
    write("cat", "2.cls");
    put("gray.jpg", "d/3.jpg");
    tar("bare.tar", "gnu", "1.jpg");
    tar("good.tar", "gnu", "1.jpg", "1.cls");
    tar("word.tar", "gnu", "1.jpg", "2.cls");
    tar("none.tar", "gnu", "1.cls");
    tar("mixed.tar", "gnu", "1.jpg", "1.cls", "d/3.jpg");
    fails(
        "bare.tar: nothing says the class of 1.jpg; expected KEY.jpg and KEY.cls", "bare.tar", "");
    fails("word.tar: 2.cls has no class; expected a whole number", "word.tar", "");
    fails("none.tar: has no images", "none.tar", "");
    fails("mixed.tar: some images have a .cls and others a folder", "mixed.tar", "");
    fails("{9..1}; expected a range that rises", "x-{9..1}.tar", "");
    fails("expected a range that rises", "x-{0..99999999999999999999}.tar", "");
    Path names = Files.writeString(dir.resolve("names"), "a\nb\n");
    fails("there is no class 7 in " + names + ", which has 2", "good.tar", "&classes=" + names);
    assertThrows(NoSuchFileException.class, () -> open("absent-{0..1}.tar", Split.TRAIN, ""));
    Files.createDirectories(dir.resolve("empty"));
    fails("empty: has no tar files for train; expected them in", "empty", "");
    Files.write(dir.resolve("text.tar"), "no archive at all".repeat(100).getBytes());
    fails("text.tar: ", "text.tar", "");
  }

  @Test
  void damagedImagesAreNamedAndLeftOut() throws Exception {
    put("gray.jpg", "1.jpg");
    byte[] jpeg = Files.readAllBytes(FIXTURES.resolve("rgb-444.jpg"));
    Files.write(dir.resolve("in/2.jpg"), Arrays.copyOf(jpeg, jpeg.length / 2));
    write("0", "1.cls");
    write("1", "2.cls");
    tar("a.tar", "gnu", "1.jpg", "1.cls", "2.jpg", "2.cls");
    Dataset d = open("a.tar", Split.TRAIN, "");
    assertEquals(1, d.size());
    assertEquals(1, told.size());
    assertTrue(
        told.get(0).endsWith("1 of 2 images skipped: a.tar: 2.jpg (truncated JPEG)"), told.get(0));
  }

  /** Bytes changed and archives cut: read, or one line, and never more than there is. */
  @Test
  void mutatedArchives() throws Exception {
    put("gray.jpg", "1.jpg");
    put("rgba.png", "2.png");
    write("0", "1.cls");
    write("1", "2.cls");
    byte[] whole = Files.readAllBytes(tar("a.tar", "pax", "1.jpg", "1.cls", "2.png", "2.cls"));
    SplittableRandom random = new SplittableRandom(7);
    int read = 0;
    int n = Integer.getInteger("secateur.test.mutations", 200);
    for (int i = 0; i < n; i++) {
      byte[] bad = Arrays.copyOf(whole, i % 4 == 0 ? random.nextInt(whole.length) : whole.length);
      for (int k = 0; bad.length > 0 && k < 1 + i % 5; k++) {
        bad[random.nextInt(Math.min(bad.length, 4096))] = (byte) random.nextInt(256);
      }
      Files.write(dir.resolve("bad.tar"), bad);
      try {
        Dataset d = open("bad.tar", Split.TRAIN, "");
        for (int k = 0; k < d.size(); k++) {
          d.read(k, ByteBuffer.allocate(BYTES), 0);
        }
        read++;
      } catch (SecateurException e) {
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
        assertTrue(e.getMessage().contains("bad.tar"), e.getMessage());
      }
    }
    assertTrue(read > n / 10, read + " of " + n + " are read");
  }
}
