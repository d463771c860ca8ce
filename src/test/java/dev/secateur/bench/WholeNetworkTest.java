package dev.secateur.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.MaskedImages;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Fixtures;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Corners;
import dev.secateur.tensor.Shape;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole networks in ONNX Runtime say what the layers alone would. */
class WholeNetworkTest {
  private static final Dataset IMAGES = new Corners(100, 3, 16);

  @TempDir Path dir;

  private static Model read(Path file) throws IOException {
    OnnxOptions options =
        new OnnxOptions(
            List.of(0.4f, 0.5f, 0.6f),
            List.of(0.3f, 0.2f, 0.25f),
            Optional.empty(),
            Optional.empty());
    return Models.importOnnx(file, options, w -> {});
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void classesAreToldBehindWhatIsCarried(boolean channelsLast) throws IOException {
    Model plain = read(Fixtures.classifier(dir.resolve("plain.onnx"), false, channelsLast));
    Model tail = read(Fixtures.classifier(dir.resolve("tail.onnx"), true, channelsLast));
    try (Device device = new CpuDevice();
        Network net = new Network(device, plain);
        WholeNetwork same = new WholeNetwork(plain, 7);
        WholeNetwork whole = new WholeNetwork(tail, 7)) {
      Evaluation expected = Evaluator.evaluate(net, IMAGES, 20, ProgressListener.none());
      Evaluation got = WholeEvaluation.classes(same, IMAGES, ProgressListener.none());
      assertEquals(expected.top1(), got.top1());
      assertEquals(expected.loss(), got.loss(), 1e-4 * expected.loss());
      assertEquals(100, got.images());
      Evaluation behind = WholeEvaluation.classes(whole, IMAGES, ProgressListener.none());
      assertEquals(expected.top1(), behind.top1(), "a rising function leaves the order");
      assertTrue(Math.abs(behind.loss() - expected.loss()) > 1e-3, "but not what it is");
    }
  }

  /** Random blocks of 4 x 4 pixels in three colours, and masks that say which. */
  private MaskedImages masked(int size) throws IOException {
    SplittableRandom random = new SplittableRandom(3);
    for (String part : new String[] {"images", "masks"}) {
      Files.createDirectories(dir.resolve("m").resolve(part));
    }
    byte[] level = new byte[256];
    IndexColorModel palette = new IndexColorModel(8, 256, level, level, level);
    for (int i = 0; i < 5; i++) {
      BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
      BufferedImage mask = new BufferedImage(size, size, BufferedImage.TYPE_BYTE_INDEXED, palette);
      for (int y = 0; y < size; y += 4) {
        for (int x = 0; x < size; x += 4) {
          int k = random.nextInt(3);
          for (int p = 0; p < 16; p++) {
            image.setRGB(x + p % 4, y + p / 4, 0xC0 << 8 * (2 - k) | 0x101010);
            mask.getRaster().setSample(x + p % 4, y + p / 4, 0, k);
          }
        }
      }
      ImageIO.write(image, "png", dir.resolve("m/images/" + i + ".png").toFile());
      ImageIO.write(mask, "png", dir.resolve("m/masks/" + i + ".png").toFile());
    }
    return (MaskedImages)
        DataSets.open(
            "masks:" + dir.resolve("m"),
            Split.TEST,
            Optional.of(Shape.of(3, 16, 16)),
            Unreadable.REFUSED);
  }

  @ParameterizedTest
  @CsvSource({"false, false", "true, false", "false, true"})
  void pixelsAreComparedWithTheirMasks(boolean whole, boolean last) throws IOException {
    Model m = read(Fixtures.colours(dir.resolve("c.onnx"), whole, last));
    try (WholeNetwork net = new WholeNetwork(m, 2)) {
      WholeEvaluation.Segmentation s =
          WholeEvaluation.masks(net, masked(16), ProgressListener.none());
      assertEquals(5, s.images());
      assertEquals(100, s.pixelAccuracy());
      assertArrayEquals(new double[] {100, 100, 100}, s.iou());
      // twice the size: resized and cropped like the image, edges blur
      WholeEvaluation.Segmentation half =
          WholeEvaluation.masks(net, masked(32), ProgressListener.none());
      assertTrue(half.pixelAccuracy() > 85, half.toString());
    }
  }

  @Test
  void iouIsOverClassesThatOccur() {
    long[][] confusion = new long[256][256];
    confusion[0][0] = 6;
    confusion[0][2] = 2;
    confusion[2][2] = 1;
    confusion[2][0] = 1;
    confusion[7][0] = 0;
    WholeEvaluation.Segmentation s = WholeEvaluation.of(confusion, 1, 1);
    assertEquals(70, s.pixelAccuracy());
    assertEquals(100 * (6 / 9.0 + 1 / 4.0) / 2, s.meanIou(), 1e-12);
    assertEquals(3, s.iou().length);
    assertTrue(Double.isNaN(s.iou()[1]), "does not occur");
  }
}
