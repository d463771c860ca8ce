package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Network;
import dev.secateur.prune.Corners;
import dev.secateur.prune.Recipe;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingContext;
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

/** Images without classes at the command line: of networks with classes, and of others. */
class UnlabelledCommandsTest {
  private static final int WIDTH = 16;
  private static final int IMAGES = 64;
  @TempDir Path dir;
  private Path classifier;
  private Path detector;
  private String data;

  @BeforeEach
  void images() throws IOException {
    Corners corners = new Corners(IMAGES, 3, WIDTH);
    ByteBuffer pixels = ByteBuffer.allocate(3 * WIDTH * WIDTH);
    for (int i = 0; i < IMAGES; i++) {
      corners.read(i, pixels, 0);
      BufferedImage image = new BufferedImage(WIDTH, WIDTH, BufferedImage.TYPE_INT_RGB);
      for (int k = 0; k < WIDTH * WIDTH; k++) {
        int rgb = 0;
        for (int c = 0; c < 3; c++) {
          rgb = rgb << 8 | pixels.get(c * WIDTH * WIDTH + k) & 255;
        }
        image.setRGB(k % WIDTH, k / WIDTH, rgb);
      }
      Path folder = Files.createDirectories(dir.resolve("images").resolve("part" + i % 3));
      ImageIO.write(image, "png", folder.resolve(i + ".png").toFile());
    }
    data = "images:" + dir.resolve("images");
    classifier = dir.resolve("m.sct");
    Models.save(Architectures.create("resnet8", 4, 3, WIDTH, 1), classifier);
    detector = Fixtures.detector(dir.resolve("detector.onnx"));
  }

  private Cli.Result prune(Path model, Path out, Object... more) {
    Object[] all = {
      "prune", model, "--data", data, "--batch-size", 8, "--hold-out", 0.25, "--iterations", 1
    };
    Object[] args = new Object[all.length + more.length + 2];
    System.arraycopy(all, 0, args, 0, all.length);
    System.arraycopy(more, 0, args, all.length, more.length);
    args[args.length - 2] = "-o";
    args[args.length - 1] = out;
    return run(args);
  }

  private void trained() throws IOException {
    try (Device device = new CpuDevice();
        Network net = new Network(device, Models.load(classifier))) {
      Recipe.FineTuning tuning =
          Recipe.DEFAULT
              .with("fine-tuning.batch-size", 32)
              .with("fine-tuning.epochs", 4)
              .with("fine-tuning.lr", 0.05)
              .fineTuning();
      Trainer.train(net, new Corners(256, 3, WIDTH), tuning.options(1), TrainingContext.none());
      Models.save(net.toModel(), classifier);
    }
  }

  @Test
  void classesAreThoseThatTheNetworkSays() throws IOException {
    trained(); // one that has not learned says the same of all
    Path out = dir.resolve("run");
    Cli.Result r = prune(classifier, out, "--pruning-ratio", 0.2, "--finetune-epochs", 1);
    assertEquals(0, r.code(), r.err());
    assertTrue(r.err().contains("those that the unpruned network says are taken"), r.err());
    assertTrue(r.out().contains("tuned agreement %"), r.out());
    JsonNode run = Json.MAPPER.readTree(out.resolve("run.json").toFile());
    assertEquals("predicted", run.get("inputs").get("labels").asText());
    assertEquals(
        100,
        Json.MAPPER
            .readTree(out.resolve("iter-00/metrics.json").toFile())
            .get("accuracy")
            .asDouble(),
        "with itself");
    assertEquals(0, run("report", out, "-q").code());
    String page = Files.readString(out.resolve("report").resolve("report.html"));
    assertTrue(page.contains("held-out agreement 100.00 %"), "the report says what it is");
    assertTrue(!page.contains("top-1"), "and nothing else");
    Cli.Result e = run("eval", classifier, "--data", data, "--reference", classifier, "--json");
    assertEquals(0, e.code(), e.err());
    assertEquals("agreement", Json.MAPPER.readTree(e.out()).get("measure").asText());
    assertEquals(100, Json.MAPPER.readTree(e.out()).get("top1").asDouble());
    assertEquals(0, run("score", classifier, "--data", data, "--json").code());
  }

  @Test
  void otherOutputsAreImitated() throws IOException {
    Path out = dir.resolve("run");
    Cli.Result r =
        prune(
            detector,
            out,
            "--criterion",
            "hrank",
            "--scope",
            "all",
            "--pruning-ratio",
            0.3,
            "--finetune-epochs",
            12,
            "--lr",
            0.05,
            "--json");
    assertEquals(0, r.code(), r.err());
    assertTrue(r.err().contains("outputs are compared with those of the unpruned"), r.err());
    JsonNode iterations = Json.MAPPER.readTree(r.out()).get("iterations");
    assertEquals(100, iterations.get(0).get("accuracy").asDouble(), 1e-3);
    double cut = iterations.get(1).get("afterPruning").asDouble();
    double tuned = iterations.get(1).get("accuracy").asDouble();
    assertTrue(cut < 99 && tuned > cut + 0.3 * (100 - cut), cut + " to " + tuned);
    Path pruned = out.resolve("model.onnx");
    Cli.Result e = run("eval", pruned, "--data", data, "--reference", detector, "--json");
    assertEquals(0, e.code(), e.err());
    JsonNode json = Json.MAPPER.readTree(e.out());
    assertEquals("outputs kept", json.get("measure").asText());
    double kept = json.get("top1").asDouble();
    assertTrue(kept > cut && kept < 100, e.out());
    Cli.Result more =
        run(
            "finetune",
            pruned,
            "--data",
            data,
            "--teacher",
            detector,
            "--epochs",
            2,
            "--batch-size",
            8,
            "-o",
            dir.resolve("more.sct"));
    assertEquals(0, more.code(), more.err());
    assertTrue(more.out().contains("test: outputs kept "), more.out());
  }

  @Test
  void imagesWithClassesServeWithoutThemWhereOutputsAreNone() throws IOException {
    dev.secateur.data.Corners.write(dir, 40, WIDTH);
    // of one channel: refused by size, not by classes
    fails(
        1,
        "images are 1x16x16, the network takes 3x16x16",
        withoutNotes(run("eval", detector, "--data", "idx:" + dir, "--reference", detector)));
  }

  @Test
  void wholeNetworksAreEvaluatedWhereTheLayersDoNotSayIt() throws IOException {
    Path folder = Files.createDirectories(dir.resolve("f"));
    Files.createSymbolicLink(folder.resolve("test"), dir.resolve("images"));
    Path tail = Fixtures.classifier(dir.resolve("tail.onnx"), true, false);
    Cli.Result r = run("eval", tail, "--data", "folder:" + folder, "--json");
    assertEquals(0, r.code(), r.err());
    assertTrue(r.err().contains("with what is carried along, runs in ONNX Runtime"), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals("onnxruntime", json.get("engine").asText());
    assertEquals(IMAGES, json.get("images").asInt());
    fails(
        1,
        "none of the outputs tells an image's class: exp",
        withoutNotes(run("eval", detector, "--data", "folder:" + folder)));
    Path masks = Files.createDirectories(dir.resolve("m/masks"));
    Files.createSymbolicLink(dir.resolve("m/images"), dir.resolve("images/part0"));
    Path colours = Fixtures.colours(dir.resolve("colours.onnx"), true, false);
    fails(
        1,
        "there is no mask for 0.png",
        withoutNotes(run("eval", colours, "--data", "masks:" + dir.resolve("m"))));
    for (int i = 0; i < IMAGES; i += 3) {
      BufferedImage mask = new BufferedImage(WIDTH, WIDTH, BufferedImage.TYPE_BYTE_GRAY);
      ImageIO.write(mask, "png", masks.resolve(i + ".png").toFile());
    }
    Cli.Result s = run("eval", colours, "--data", "masks:" + dir.resolve("m"), "-q");
    assertEquals(0, s.code(), s.err());
    String pattern = "pixel accuracy [0-9.]+ %, mean IoU [0-9.]+ %, 22 images, \\d+ images/s";
    assertTrue(s.out().strip().matches(pattern), s.out());
    Cli.Result timed =
        run("bench", tail, "--engine", "secateur,onnxruntime", "--runs", 3, "--batch", 2);
    assertEquals(0, timed.code(), timed.err());
    assertTrue(timed.err().contains("secateur times the layers; what is carried"), timed.err());
  }

  private static Cli.Result withoutNotes(Cli.Result r) {
    String rest =
        String.join(
            "\n",
            r.err()
                .lines()
                .filter(l -> l.startsWith("secateur: ") && !l.contains("carried along"))
                .toList());
    return new Cli.Result(r.code(), r.out(), rest);
  }

  @Test
  void whatNeedsClassesIsToldInOneLine() throws IOException {
    Path out = dir.resolve("run");
    String why = "pls-vip tells by classes what matters, and there are none; expected hrank, inffs";
    fails(1, "criterion " + why, withoutNotes(prune(detector, out)));
    fails(1, "criterion " + why, withoutNotes(run("score", detector, "--data", data)));
    assertTrue(Files.notExists(out));
    fails(
        1,
        "--epochs 1: images without classes are learned from by imitating another network",
        run("finetune", classifier, "--data", data, "--epochs", 1, "-o", out));
    fails(2, "--reference: " + data + " has no classes", run("eval", classifier, "--data", data));
    fails(
        1,
        "the network's outputs are no classes",
        withoutNotes(run("eval", detector, "--data", data, "--reference", classifier)));
    fails(1, "(a folder of images)", run("score", classifier, "--data", "images:" + out));
    Path empty = Files.createDirectories(dir.resolve("empty"));
    fails(1, "has no images", run("score", classifier, "--data", "images:" + empty));
  }
}
