package dev.secateur.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.tensor.Shape;
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
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Expected pixels are torchvision's: scripts/make-folder-fixtures.py. */
class ImageFolderTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  private static final Path JPEGS = Path.of("..", "shared", "data", "cifar10-jpeg");
  @TempDir Path dir;
  private final List<String> told = Collections.synchronizedList(new ArrayList<>());

  private Path put(String fixture, String to) throws IOException {
    Path p = dir.resolve(to);
    Files.createDirectories(p.getParent());
    return Files.copy(FIXTURES.resolve(fixture), p);
  }

  private Path write(byte[] bytes, String to) throws IOException {
    Path p = dir.resolve(to);
    Files.createDirectories(p.getParent());
    return Files.write(p, bytes);
  }

  private Dataset open(Split split, String options) throws IOException {
    return DataSets.open(
        "folder:" + dir + options, split, Optional.empty(), new Unreadable(false, told::add));
  }

  private void fails(String message, Split split, String options) {
    SecateurException e = assertThrows(SecateurException.class, () -> open(split, options));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertTrue(e.getMessage().contains(dir.toString()), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "rgb-444.jpg, 0",
    "rgb-420.jpg, 0",
    "rgb-422-progressive.jpg, 0",
    "gray.jpg, 0",
    "cmyk.jpg, 2",
    "ycck.jpg, 2",
    "enlarged.png, 0",
    "same-size.png, 0",
    "palette-wide.png, 0",
    "palette-transparent.png, 0",
    "rgba.png, 0",
    "gray-alpha.png, 0",
    "one-bit.png, 0",
    "rgb-16-bit.png, 0"
  })
  void pixelsAreThoseOfTorchvision(String file, int tolerance) throws IOException {
    put(file, "train/a/" + file);
    same(file + ".rgb", open(Split.TRAIN, "?size=16&resize=20"), tolerance);
    // Pillow rounds the luma of palettes and inks otherwise by one
    same(file + ".l", open(Split.TRAIN, "?size=16&resize=20&channels=1"), Math.max(1, tolerance));
    assertEquals(List.of(), told);
  }

  @ParameterizedTest
  @CsvSource({"rgb-420.jpg", "gray.jpg", "rgba.png"})
  void partsAreThoseOfTorchvision(String file) throws IOException {
    put(file, "train/a/" + file);
    Dataset d = open(Split.TRAIN, "?size=16");
    assertTrue(d.hasViews());
    byte[] want = Files.readAllBytes(FIXTURES.resolve(file + ".box"));
    ByteBuffer got = ByteBuffer.allocate(want.length);
    assertTrue(d.read(0, (w, h) -> new Region(3, 5, 21, 22), got, 0));
    assertArrayEquals(want, got.array());
  }

  /** 45 x 30 pixels are decoded as 23 x 15 where 8 are wanted, and look much the same. */
  @Test
  void muchLargerPartsAreDecodedInAFractionOfTheirSize() throws IOException {
    byte[] file = Files.readAllBytes(FIXTURES.resolve("rgb-444.jpg"));
    ImageDecoder d = new ImageDecoder();
    assertEquals(Region.all(45, 30), d.decode(file, 3, Region::all, 0));
    assertEquals(Region.all(45, 30), d.decode(file, 3, Region::all, 16));
    assertEquals(Region.all(23, 15), d.decode(file, 3, Region::all, 8));
    assertEquals(
        new Region(2, 3, 21, 12), d.decode(file, 3, (w, h) -> new Region(5, 6, 40, 24), 8));
    put("rgb-444.jpg", "train/a/x.jpg");
    Dataset large = open(Split.TRAIN, "?size=8");
    ByteBuffer exact = ByteBuffer.allocate(3 * 64);
    ByteBuffer fast = ByteBuffer.allocate(3 * 64);
    View part = (w, h) -> new Region(8, 2, 28, 28);
    assertTrue(large.read(0, part, fast, 0));
    Region of = d.decode(file, 3, part, 0);
    new Triangle().write(d.pixels(), 3, d.width(), of, Triangle.Target.whole(8, 8), exact, 0);
    double difference = 0;
    for (int i = 0; i < 3 * 64; i++) {
      difference += Math.abs((exact.get(i) & 255) - (fast.get(i) & 255)) / (3.0 * 64);
    }
    assertTrue(0 < difference && difference < 8, "differs by " + difference + " on average");
  }

  private static void same(String expected, Dataset d, int tolerance) throws IOException {
    byte[] want = Files.readAllBytes(FIXTURES.resolve(expected));
    assertEquals(want.length, d.channels() * d.height() * d.width());
    ByteBuffer got = ByteBuffer.allocate(want.length + 8).put(want.length + 4, (byte) 77);
    assertTrue(d.read(0, got, 4));
    int worst = 0;
    for (int i = 0; i < want.length; i++) {
      worst = Math.max(worst, Math.abs((want[i] & 255) - (got.get(4 + i) & 255)));
    }
    assertTrue(worst <= tolerance, expected + ": differs by " + worst);
    assertEquals(0, got.getInt(0));
    assertEquals(77, got.get(4 + want.length), "nothing is written outside");
  }

  @Test
  void classesAndFilesAreInAlphabeticalOrder() throws IOException {
    for (String f : new String[] {"train/b/2.JPG", "train/b/10.jpeg", "train/a/z.jpg"}) {
      put("rgb-444.jpg", f);
    }
    put("same-size.png", "train/c/x.PNG");
    put("same-size.png", "val/c/x.png");
    write(new byte[3], "train/c/notes.txt");
    write(new byte[3], "train/c/.hidden.png");
    Files.createDirectories(dir.resolve("train/.cache"));
    Dataset d = open(Split.TRAIN, "?size=20");
    assertEquals(List.of("a", "b", "c"), d.classNames());
    assertEquals("0112", labels(d));
    assertEquals("3x20x20", d.channels() + "x" + d.height() + "x" + d.width());
    Dataset val = open(Split.TEST, "");
    assertEquals("3x224x224", val.channels() + "x" + val.height() + "x" + val.width());
    assertEquals("2", labels(val), "numbers are those of the training classes");
    put("same-size.png", "test/a/x.png");
    assertEquals("0", labels(open(Split.TEST, "")), "test goes before val");
    put("same-size.png", "test/unknown/x.png");
    fails("test/unknown: there is no class of this name in", Split.TEST, "");
    assertEquals(List.of(), told);
  }

  /** Such as ImageNet's classes in the order of a network that was trained by another list. */
  @Test
  void aFileMaySayWhichOutputAClassIs() throws IOException {
    put("gray.jpg", "train/a/1.jpg");
    put("gray.jpg", "train/b/1.jpg");
    put("gray.jpg", "valid/b/1.jpg");
    Path file = write("c\n b \n\na\n".getBytes(), "classes.txt");
    Dataset d = open(Split.TRAIN, "?classes=" + file);
    assertEquals(List.of("c", "b", "a"), d.classNames());
    assertEquals("21", labels(d));
    assertEquals("1", labels(open(Split.TEST, "?size=16&classes=" + file)));
    write("c\nb\n".getBytes(), "classes.txt");
    fails("train/a: there is no class of this name in " + file, Split.TRAIN, "?classes=" + file);
    write("c\nb\nc\n".getBytes(), "classes.txt");
    fails("classes.txt: c comes twice", Split.TRAIN, "?classes=" + file);
    write("\n".getBytes(), "classes.txt");
    fails("classes.txt: has no names", Split.TRAIN, "?classes=" + file);
    assertThrows(NoSuchFileException.class, () -> open(Split.TRAIN, "?classes=" + dir + "/no"));
  }

  private static String labels(Dataset d) {
    StringBuilder out = new StringBuilder();
    IntStream.range(0, d.size()).forEach(i -> out.append(d.label(i)));
    return out.toString();
  }

  @Test
  void sizeIsTheNetworksUnlessGiven() throws IOException {
    put("rgb-444.jpg", "train/a/x.jpg");
    Optional<Shape> wanted = Optional.of(Shape.of(1, 32, 24));
    Dataset d = DataSets.open("folder:" + dir, Split.TRAIN, wanted, Unreadable.REFUSED);
    assertEquals("1x32x24", d.channels() + "x" + d.height() + "x" + d.width());
    assertTrue(d.read(0, ByteBuffer.allocate(32 * 24), 0));
    assertEquals(32, FolderSpec.of("folder", "x", wanted).resize());
    assertEquals(256, FolderSpec.of("folder", "x", Optional.empty()).resize());
    assertEquals(73, FolderSpec.of("folder", "x?size=64", wanted).resize());
    assertEquals(64, FolderSpec.of("folder", "x?size=64", wanted).width());
    fails("resize=8 is less than the size, 16", Split.TRAIN, "?size=16&resize=8");
    fails("1 or 3 channels, not 2", Split.TRAIN, "?channels=2");
    fails("?: nothing after ?; expected size=S", Split.TRAIN, "?");
    fails("sise=3; expected size=S", Split.TRAIN, "?sise=3");
    fails("size=0; expected size=S", Split.TRAIN, "?size=0");
    fails("size=big; expected size=S", Split.TRAIN, "?size=big");
  }

  @Test
  void aLayoutThatIsNotThereIsToldWithWhatWasExpected() throws IOException {
    assertThrows(NoSuchFileException.class, () -> DataSets.open("folder:/no/dir", Split.TRAIN));
    put("rgb-444.jpg", "cat/x.jpg");
    fails("has no folder train; expected " + dir + "/train/CLASS/IMAGE.jpg", Split.TRAIN, "");
    fails(
        "has no folder test, val, valid or validation; expected " + dir + "/test/CLASS/IMAGE",
        Split.TEST,
        "");
    Files.createDirectories(dir.resolve("train"));
    fails("train: has no class folders; expected", Split.TRAIN, "");
    put("rgb-444.jpg", "train/cat/x.jpg");
    write(new byte[9], "train/dog/x.txt");
    fails("train/dog: has no images; expected .jpg, .jpeg or .png", Split.TRAIN, "");
  }

  @Test
  void damagedFilesAreNamedCountedAndLeftOut() throws IOException {
    byte[] jpeg = Files.readAllBytes(FIXTURES.resolve("rgb-444.jpg"));
    byte[] png = Files.readAllBytes(FIXTURES.resolve("rgba.png"));
    put("gray.jpg", "train/a/good.jpg");
    write(Arrays.copyOf(jpeg, jpeg.length / 2), "train/a/cut.jpg");
    write("no image at all\n".getBytes(), "train/a/text.jpg");
    write(new byte[0], "train/b/empty.jpg");
    write(Arrays.copyOf(png, png.length - 7), "train/b/cut.png");
    write(Arrays.copyOf(jpeg, jpeg.length + 5), "train/b/padded.jpg");
    byte[] appended = Arrays.copyOf(jpeg, jpeg.length + 200);
    Arrays.fill(appended, jpeg.length, appended.length, (byte) 'x');
    write(appended, "train/b/something-appended.jpg");
    write(png, "train/b/a-png-really.jpg");
    Dataset d = open(Split.TRAIN, "?size=16");
    assertEquals("0111", labels(d));
    for (int i = 0; i < d.size(); i++) {
      assertTrue(d.read(i, ByteBuffer.allocate(768), 0));
    }
    assertEquals(
        List.of(
            "folder "
                + dir
                + "/train: 4 of 8 images skipped: a/cut.jpg (truncated JPEG), a/text.jpg (neither"
                + " JPEG nor PNG), b/cut.png (truncated PNG), b/empty.jpg (empty file)"),
        told);
    SecateurException e =
        assertThrows(SecateurException.class, () -> DataSets.open("folder:" + dir, Split.TRAIN));
    assertTrue(e.getMessage().contains("4 of 8 images cannot be read: a/cut.jpg"), e.getMessage());
  }

  @Test
  void damageFoundWhileDecodingIsToldOnceOrRefused() throws IOException {
    byte[] png = Files.readAllBytes(FIXTURES.resolve("rgba.png"));
    Arrays.fill(png, 60, png.length - 40, (byte) 3);
    byte[] jpeg = Files.readAllBytes(FIXTURES.resolve("rgb-444.jpg"));
    Arrays.fill(jpeg, 20, jpeg.length - 2, (byte) 0);
    put("gray.jpg", "train/a/good.jpg");
    write(png, "train/a/inside.png");
    write(jpeg, "train/b/inside.jpg");
    Dataset d = open(Split.TRAIN, "?size=16");
    assertEquals(3, d.size(), "their ends look well");
    ByteBuffer pixels = ByteBuffer.allocate(768);
    for (int turn = 0; turn < 2; turn++) {
      assertTrue(d.read(0, pixels, 0));
      byte[] before = pixels.array().clone();
      assertFalse(d.read(1, pixels, 0));
      assertFalse(d.read(2, pixels, 0));
      assertTrue(Arrays.equals(before, pixels.array()));
    }
    assertEquals(2, told.size(), told::toString);
    assertTrue(told.get(0).contains("1 of 3 images skipped: a/inside.png ("), told.get(0));
    assertTrue(told.get(1).contains("2 of 3 images skipped: b/inside.jpg ("), told.get(1));
    Dataset strict = DataSets.open("folder:" + dir + "?size=16", Split.TRAIN);
    String message =
        assertThrows(SecateurException.class, () -> strict.read(1, pixels, 0)).getMessage();
    assertTrue(message.contains("cannot be read: a/inside.png ("), message);
  }

  @Test
  void aFolderWithoutAnyGoodImageIsRefused() throws IOException {
    write(new byte[0], "train/a/x.jpg");
    fails("none of 1 images can be read, such as a/x.jpg", Split.TRAIN, "");
  }

  @Test
  void readingFromManyThreadsGivesTheSamePixels() throws Exception {
    Path archive = JPEGS.resolve("test.tar.xz");
    Assumptions.assumeTrue(Files.exists(archive), archive + " is absent: skipped");
    unpack(archive);
    Dataset d = open(Split.TEST, "?size=32");
    assertEquals(300, d.size());
    assertEquals("airplane", d.classNames().get(0));
    int bytes = 3 * 32 * 32;
    ByteBuffer one = ByteBuffer.allocate(bytes * d.size());
    ByteBuffer many = ByteBuffer.allocate(bytes * d.size());
    for (int i = 0; i < d.size(); i++) {
      assertTrue(d.read(i, one, i * bytes));
    }
    IntStream.range(0, d.size()).parallel().forEach(i -> assertTrue(d.read(i, many, i * bytes)));
    assertEquals(one, many);
    assertEquals(List.of(), told);
  }

  /** A hundred images of each of three classes. */
  private void unpack(Path archive) throws Exception {
    Process p =
        new ProcessBuilder(
                "tar",
                "-xJf",
                archive.toAbsolutePath().toString(),
                "--wildcards",
                "test/airplane/00*",
                "test/dog/00*",
                "test/truck/00*")
            .directory(dir.toFile())
            .inheritIO()
            .start();
    assertEquals(0, p.waitFor());
  }
}
