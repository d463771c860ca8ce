package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Image folders at the command line. */
class FolderCommandsTest {
  private static final Path FIXTURES = Path.of("src/test/resources/folder");
  @TempDir Path dir;
  private Path model;
  private Path damaged;

  /** Two classes; the test split has a file whose middle is damaged and one that is cut. */
  @BeforeEach
  void folder() throws IOException {
    for (String split : new String[] {"train", "test"}) {
      for (String name : new String[] {"cat", "dog"}) {
        Path to = Files.createDirectories(dir.resolve(split).resolve(name));
        for (int i = 0; i < 4; i++) {
          String f = name.equals("cat") ? "rgb-420.jpg" : "rgba.png";
          Files.copy(FIXTURES.resolve(f), to.resolve(i + f.substring(f.length() - 4)));
        }
      }
    }
    byte[] jpeg = Files.readAllBytes(FIXTURES.resolve("rgb-444.jpg"));
    Files.write(dir.resolve("test/cat/cut.jpg"), Arrays.copyOf(jpeg, jpeg.length - 300));
    Arrays.fill(jpeg, 20, jpeg.length - 2, (byte) 0);
    damaged = Files.write(dir.resolve("test/cat/inside.jpg"), jpeg);
    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 2, 3, 32, 1), model);
  }

  @Test
  void evalLeavesDamagedImagesOutAndSaysSo() throws IOException {
    Cli.Result r = run("eval", model, "--data", "folder:" + dir, "--json", "-q", "--batch-size", 4);
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(8, json.get("images").asInt(), "neither counts");
    assertTrue(r.err().contains("1 of 10 images skipped: cat/cut.jpg (truncated JPEG)"), r.err());
    assertTrue(r.err().contains("2 of 10 images skipped: cat/inside.jpg ("), r.err());
    assertEquals(2, r.err().strip().lines().count(), r.err());
    Files.delete(dir.resolve("test/cat/cut.jpg"));
    Files.delete(damaged);
    Cli.Result clean = run("eval", model, "--data", "folder:" + dir, "--json", "--batch-size", 4);
    assertEquals("", clean.err());
    JsonNode same = Json.MAPPER.readTree(clean.out());
    assertEquals(same.get("top1"), json.get("top1"));
    assertEquals(same.get("loss").asDouble(), json.get("loss").asDouble(), 1e-6);
  }

  @Test
  void strictRefusesThem() throws IOException {
    Object[] eval = {"eval", model, "--data", "folder:" + dir, "--strict"};
    fails(1, "1 of 10 images cannot be read: cat/cut.jpg", run(eval));
    Files.delete(dir.resolve("test/cat/cut.jpg"));
    fails(1, "1 of 9 images cannot be read: cat/inside.jpg", run(eval));
    Files.delete(damaged);
    assertEquals(0, run(eval).code());
  }

  @Test
  void mistakesAreToldInOneLine() throws IOException {
    fails(1, "no such file: /no/dir", run("eval", model, "--data", "folder:/no/dir"));
    Path flat = dir.resolve("train");
    fails(
        1,
        "has no folder test, val, valid or validation; expected " + flat + "/test/CLASS/IMAGE.jpg",
        run("eval", model, "--data", "folder:" + flat));
    fails(1, "expected size=S", run("eval", model, "--data", "folder:" + dir + "?sice=3"));
    Files.createDirectories(dir.resolve("train/emu"));
    fails(
        1, "train/emu: has no images", run("score", model, "--data", "folder:" + dir, "--strict"));
  }

  @Test
  void trainingScoringAndFineTuningTakeFolders() throws IOException {
    String data = "folder:" + dir;
    Path out = dir.resolve("t.sct");
    Cli.Result t =
        run(
            "train",
            "resnet8",
            "--data",
            data + "?size=32",
            "--epochs",
            1,
            "--batch-size",
            4,
            "-o",
            out,
            "--json");
    assertEquals(0, t.code(), t.err());
    assertEquals(8, Json.MAPPER.readTree(t.out()).get("test").get("images").asInt());
    Cli.Result s = run("score", out, "--data", data, "--batch-size", 4, "--samples", 6, "--json");
    assertEquals(0, s.code(), s.err());
    Cli.Result f =
        run("finetune", out, "--data", data, "--epochs", 1, "--batch-size", 4, "-o", out, "--json");
    assertEquals(0, f.code(), f.err());
  }
}
