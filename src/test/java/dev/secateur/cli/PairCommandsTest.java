package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.prune.Corners;
import dev.secateur.util.Json;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Verification networks at the command line: images are the same that are bright in one corner. */
class PairCommandsTest {
  private static final int WIDTH = 16;
  private static final int IMAGES = 40;
  @TempDir Path dir;
  private Path model;
  private String data;

  @BeforeEach
  void pairs() throws IOException {
    Corners corners = new Corners(IMAGES, 1, WIDTH);
    ByteBuffer pixels = ByteBuffer.allocate(WIDTH * WIDTH);
    for (int i = 0; i < IMAGES; i++) {
      corners.read(i, pixels, 0);
      BufferedImage image = new BufferedImage(WIDTH, WIDTH, BufferedImage.TYPE_BYTE_GRAY);
      image.getRaster().setDataElements(0, 0, WIDTH, WIDTH, pixels.array());
      ImageIO.write(image, "png", dir.resolve(i + ".png").toFile());
    }
    StringBuilder list = new StringBuilder("first,second,label\n");
    for (int i = 0; i < IMAGES; i++) {
      int other = (i + (i % 2 == 0 ? 4 : 5)) % IMAGES;
      boolean same = corners.label(i) == corners.label(other);
      list.append(i + ".png," + other + ".png," + (same ? "same" : "different") + "\n");
    }
    Path file = Files.writeString(dir.resolve("list.csv"), list);
    data = "pairs:" + file;
    model = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 8, 1, WIDTH, 1), model);
  }

  @Test
  void evalTellsAccuracyThresholdAndArea() throws IOException {
    Cli.Result r = run("eval", model, "--data", data, "--batch-size", 16, "--json", "-q");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(IMAGES, json.get("pairs").asInt());
    assertEquals("cosine", json.get("distance").asText());
    assertTrue(json.get("accuracy").asDouble() >= 50, r.out());
    assertTrue(json.get("auc").asDouble() > 0.6, r.out());
    Cli.Result text =
        run("eval", model, "--data", data, "--batch-size", 16, "-q", "--distance", "euclidean");
    assertEquals(0, text.code(), text.err());
    String pattern =
        "accuracy [0-9.]+ % with Euclidean distance of at most [0-9.]+, ROC AUC 0\\.\\d{4},"
            + " 40 pairs, \\d+ images/s";
    assertTrue(text.out().strip().matches(pattern), text.out());
  }

  @Test
  void pruneWorksFromPairsToTheReport() throws IOException {
    Path out = dir.resolve("run");
    Cli.Result r =
        run(
            "prune",
            model,
            "--data",
            data,
            "--batch-size",
            16,
            "--components",
            2,
            "--pruning-ratio",
            0.2,
            "--iterations",
            2,
            "--finetune-epochs",
            1,
            "--hold-out",
            0.3,
            "-o",
            out,
            "--json",
            "-q");
    assertEquals(0, r.code(), r.err());
    JsonNode last = Json.MAPPER.readTree(r.out()).get("iterations").get(2);
    assertTrue(last.get("accuracy").asDouble() >= 50, r.out());
    assertTrue(last.get("loss").asDouble() <= 1, r.out());
    assertEquals(0, run("eval", out.resolve("model.sct"), "--data", data, "-q").code());
    Cli.Result report = run("report", out, "-o", dir.resolve("report"), "-q");
    assertEquals(0, report.code(), report.err());
  }

  @Test
  void anEmbeddingOfOneNumberIsScored() throws IOException {
    Models.save(Architectures.create("resnet8", 1, 1, WIDTH, 1), model);
    Cli.Result r = run("score", model, "--data", data, "--components", 2, "--json", "-q");
    assertEquals(0, r.code(), r.err());
  }

  @Test
  void whatPairsCannotDoIsToldInOneLine() throws IOException {
    fails(
        1,
        "images without classes are learned from by imitating another network",
        run("finetune", model, "--data", data, "--epochs", 1, "-o", dir.resolve("t.sct"), "-q"));
    fails(
        2,
        "--sparse-epochs '0': expected a whole number of at least 1",
        run("prune", model, "--data", data, "--sparse-epochs", 0, "-o", dir.resolve("run"), "-q"));
    fails(
        1,
        "which pairs of images do not have",
        run("score", model, "--data", data, "--criterion", "taylor", "-q"));
    Cli.Result odd = run("eval", model, "--data", data, "--batch-size", 5, "-q");
    assertTrue(odd.err().contains("5: would part a pair of images; expected an even"), odd.err());
    assertEquals(1, odd.err().strip().lines().count(), odd.err());
    dev.secateur.data.Corners.write(dir, 8, 8);
    fails(
        2,
        "has classes, not pairs of images",
        run("eval", model, "--data", "idx:" + dir, "--distance", "cosine", "-q"));
  }
}
