package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.util.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCommandTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  @TempDir Path dir;

  private void put(String fixture, String to) throws Exception {
    Path p = dir.resolve("d").resolve(to);
    Files.createDirectories(p.getParent());
    Files.copy(FIXTURES.resolve(fixture), p);
  }

  @Test
  void itSaysWhatIsThereAndHowFastItIsRead() throws Exception {
    put("rgb-444.jpg", "train/a/1.jpg");
    put("rgb-420.jpg", "train/a/2.jpg");
    put("gray.jpg", "train/b/3.jpg");
    put("gray.jpg", "val/b/4.jpg");
    String folder = "folder:" + dir.resolve("d") + "?size=16&cache=" + dir.resolve("cache");
    Cli.Result r = Cli.run("data", folder, "--threads", "1,3", "--seconds", "0.05", "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(3, json.get("images").asInt());
    assertEquals("[3,16,16]", json.get("image").toString());
    assertEquals(
        "1 to 2 of 2",
        json.get("fewest") + " to " + json.get("most") + " of " + json.get("classes"));
    assertEquals(2, json.get("reading").size());
    for (JsonNode way : json.get("reading")) {
      assertTrue(way.get("imagesPerSecond").asDouble() > 10, r.out());
      assertTrue(way.get("cpuMilliseconds").asDouble() < 100, r.out());
    }
    Cli.Result text = Cli.run("data", "images:" + dir.resolve("d/val"), "--seconds", "0.05");
    assertTrue(text.out().contains("train: 1 images of 3x224x224, no classes"), text.out());
    assertTrue(text.out().contains("threads  images/s  CPU ms an image"), text.out());
    Cli.Result test = Cli.run("data", folder, "--split", "test", "--seconds", "0.05");
    assertTrue(test.out().contains("test: 1 images of 3x16x16, 2 classes of 0 to 1"), test.out());
  }

  @Test
  void partsAreReadOfImageFilesOnly() throws Exception {
    put("rgb-444.jpg", "train/a/1.jpg");
    String folder = "folder:" + dir.resolve("d") + "?size=16";
    assertEquals(
        0, Cli.run("data", folder, "--random-resized-crop", "0.08", "--seconds", "0.05").code());
    Path idx = dir.resolve("idx");
    Files.createDirectories(idx);
    byte[] images = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 5};
    Files.write(idx.resolve("train-images-idx3-ubyte"), images);
    Files.write(idx.resolve("train-labels-idx1-ubyte"), new byte[] {0, 0, 8, 1, 0, 0, 0, 1, 0});
    Cli.Result r = Cli.run("data", "idx:" + idx, "--random-resized-crop", "0.5");
    assertEquals(2, r.code());
    assertTrue(
        r.err().contains("--random-resized-crop: idx:" + idx + " has images of one size"), r.err());
  }
}
