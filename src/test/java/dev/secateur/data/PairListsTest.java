package dev.secateur.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PairListsTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  @TempDir Path dir;
  private final List<String> told = new ArrayList<>();

  @BeforeEach
  void images() throws IOException {
    for (String name : new String[] {"Ann_Lee", "Bo", "Cy"}) {
      Files.createDirectories(dir.resolve(name));
      for (int i = 1; i <= 2; i++) {
        put("rgb-444.jpg", name + "/" + name + "_000" + i + ".jpg");
      }
    }
    put("same-size.png", "x.png");
  }

  private void put(String fixture, String to) throws IOException {
    Files.copy(FIXTURES.resolve(fixture), dir.resolve(to));
  }

  private Dataset open(String spec, Split split) throws IOException {
    return DataSets.open(spec, split, Optional.empty(), new Unreadable(false, told::add));
  }

  private Dataset list(String text) throws IOException {
    Path file = Files.writeString(dir.resolve("list.csv"), text);
    return open("pairs:" + file + "?size=8", Split.TEST);
  }

  private static String labels(Dataset d) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < d.size(); i++) {
      out.append(d.label(i));
    }
    return out.toString();
  }

  @Test
  void aCsvFileListsPairs() throws IOException {
    String a = "Bo/Bo_0001.jpg";
    String lines = a + ",x.png,0\n\n" + a + ", " + dir.resolve("x.png") + " ,Same\r\n";
    for (String head : new String[] {"", "first,second,label\n", "\ufefffirst,second,label\n"}) {
      Dataset d = list(head + lines);
      assertEquals("0011", labels(d));
      assertTrue(d.paired());
      assertEquals(List.of("different", "same"), d.classNames());
      assertEquals("3x8x8", d.channels() + "x" + d.height() + "x" + d.width());
      assertTrue(d.read(3, ByteBuffer.allocate(3 * 8 * 8), 0));
    }
    Files.writeString(dir.resolve("train.csv"), a + ",x.png,different");
    Files.writeString(dir.resolve("test.csv"), a + ",x.png,1");
    assertEquals("00", labels(open("pairs:" + dir, Split.TRAIN)));
    assertEquals("11", labels(open("pairs:" + dir, Split.TEST)));
    assertEquals(List.of(), told);
    assertThrows(NoSuchFileException.class, () -> open("pairs:/no/list.csv", Split.TEST));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x.png,x.png,smae | line 1: 'smae'; expected same, different, 1 or 0",
        "a,b,c;x.png,x.png,2 | line 2: '2'; expected same, different, 1 or 0",
        "a,b,c;d,e,f | line 2: 'f'; expected same, different, 1 or 0",
        "x.png,x.png,1;x.png,x.png | line 2: 2 values; expected path,path,same",
        "x.png,y.png,1 | line 1: 'y.png'; expected an image file at",
        "x.png,,1 | line 1: ''; expected an image file at",
        "a,b,c | has no pairs"
      })
  void badRowsAreToldByLine(String text, String message) {
    SecateurException e =
        assertThrows(SecateurException.class, () -> list(text.replace(';', '\n')));
    assertTrue(e.getMessage().startsWith(dir.resolve("list.csv").toString()), e.getMessage());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void whatIsNoTextIsToldAsSuch() throws IOException {
    Path image = dir.resolve("x.png");
    SecateurException e =
        assertThrows(SecateurException.class, () -> open("pairs:" + image, Split.TEST));
    assertEquals(image + ": not a text file; expected a list of pairs", e.getMessage());
  }

  private Dataset lfw(String name, String text, Split split) throws IOException {
    Files.writeString(dir.resolve(name), text);
    return open("lfw:" + dir + "?size=16&channels=1", split);
  }

  @Test
  void lfwHasFoldsOfMatchedThenMismatchedPairs() throws IOException {
    assertThrows(NoSuchFileException.class, () -> open("lfw:" + dir, Split.TEST));
    String fold = "Bo\t1\t2\nAnn_Lee\t2\t1\nBo\t1\tCy\t2\nCy\t1\tAnn_Lee\t2\n";
    Dataset d = lfw("pairs.txt", "2\t2\n" + fold + fold + "\n", Split.TRAIN);
    assertEquals("1111000011110000", labels(d));
    assertEquals("1x16x16", d.channels() + "x" + d.height() + "x" + d.width());
    assertEquals("1100", labels(lfw("pairsDevTest.txt", "1\nBo 1 2\nBo 1 Cy 2", Split.TEST)));
    assertEquals(16, open("lfw:" + dir, Split.TRAIN).size(), "pairs.txt for the other split");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | line 1: ''; expected the number of folds",
        "ten 300 | line 1: 'ten'; expected the number of folds",
        "1 0 | line 1: '0'; expected the number of folds",
        "1 2 3 | line 1: 3 values; expected the number of folds",
        "1 2;Bo 1 2 | 1 lines behind the first; expected 4, as line 1 is '1 2'",
        "1;Bo 1 Cy 2;Bo 1 2 | line 2: 4 values; expected name i j",
        "1;Bo 1 2;Bo 1 2 | line 3: 3 values; expected name i name j",
        "1;Bo 1 x;Bo 1 Cy 2 | line 2: 'x'; expected name i j",
        "1;Bo 1 2;Bo 1 Cy 9 | line 3: 'Cy/Cy_0009.jpg'; expected an image file at"
      })
  void badLinesOfLfwAreTold(String text, String message) {
    SecateurException e =
        assertThrows(
            SecateurException.class, () -> lfw("pairs.txt", text.replace(';', '\n'), Split.TEST));
    assertTrue(e.getMessage().startsWith(dir.resolve("pairs.txt").toString()), e.getMessage());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void aPairGoesAsAWhole() throws IOException {
    Files.write(dir.resolve("empty.png"), new byte[0]);
    Dataset d = list("x.png,empty.png,1\nx.png,x.png,0\n");
    assertEquals("00", labels(d));
    assertTrue(told.get(0).contains("2 of 4 images skipped: x.png (the other image"), told.get(0));
    assertTrue(told.get(0).contains("empty.png (empty file)"), told.get(0));
  }

  @Test
  void partsHaveWholePairs() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 20; i++) {
      text.append("x.png,Bo/Bo_0001.jpg,").append(i % 4 == 0 ? 1 : 0).append('\n');
    }
    Dataset all = list(text.toString());
    HoldOut parts = HoldOut.of(all, 0.2, 3);
    assertEquals(32, parts.train().size());
    assertEquals(8, parts.held().size());
    Dataset first = DataSets.first(parts.train(), 7);
    assertEquals(6, first.size());
    ByteBuffer image = ByteBuffer.allocate(2 * 3 * 8 * 8);
    int same = 0;
    for (Dataset part : List.of(parts.train(), parts.held(), first)) {
      assertTrue(part.paired());
      for (int i = 0; i < part.size(); i += 2) {
        assertEquals(part.label(i), part.label(i + 1));
        part.read(i, image, 0);
        part.read(i + 1, image, 3 * 8 * 8);
        assertFalse(
            IntStream.range(0, 192).allMatch(k -> image.get(k) == image.get(192 + k)),
            "x.png, then Bo");
      }
    }
    for (int i = 0; i < parts.held().size(); i += 2) {
      same += parts.held().label(i);
    }
    assertEquals(1, same, "a fifth of 5");
  }
}
