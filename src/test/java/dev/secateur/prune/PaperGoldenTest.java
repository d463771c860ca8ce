package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.MeanImage;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.train.ProgressListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * The paper's recipe against the paper's own networks: which filters of the unpruned ResNet-56 the
 * authors' first iteration removed is known from their network after it, whose filters keep their
 * order. Minutes of computing: {@code mvn test -Pgolden -Dtest=PaperGoldenTest}.
 */
@EnabledIfSystemProperty(named = "secateur.test.golden", matches = "true")
class PaperGoldenTest {
  private static final Path DATA = Path.of("..", "shared", "data");

  private static Model keras(String name) throws IOException {
    Path file = DATA.resolve("pretrained").resolve(name + ".json");
    Assumptions.assumeTrue(Files.exists(file), file + " is absent: skipped");
    return Models.importKeras(file, Optional.empty());
  }

  @Test
  void theFirstIterationRemovesWhatTheAuthorsRemoved() throws IOException {
    Model unpruned = keras("authors-resnet56-unpruned");
    Model pruned = keras("authors-resnet56-it0");
    Dataset all = DataSets.open("cifar10:" + DATA.resolve("cifar10-bin"), Split.TRAIN);
    Recipe recipe = Recipe.named("paper").with("fine-tuning.epochs", 0);
    Removal ours;
    try (Device device = new CpuDevice();
        Network net = new Network(device, withMean(unpruned, all))) {
      Images images = new Images(all, all, all, all); // the authors hold nothing out
      Pruner pruner = new Pruner(recipe, images, ProgressListener.none());
      ours =
          new RatioSelector(recipe)
              .select(net.graph(), net, recipe.groups(net.graph()), pruner.score(net).importance());
    }
    int theirs = 0;
    List<String> missed = new ArrayList<>();
    List<String> extra = new ArrayList<>();
    for (String layer : recipe.groups(unpruned.graph()).layers()) {
      TreeSet<Integer> authors = removed(weights(unpruned, layer), weights(pruned, layer));
      TreeSet<Integer> own = new TreeSet<>();
      Arrays.stream(ours.of(layer)).forEach(own::add);
      theirs += authors.size();
      authors.stream().filter(f -> !own.contains(f)).forEach(f -> missed.add(layer + " " + f));
      own.stream().filter(f -> !authors.contains(f)).forEach(f -> extra.add(layer + " " + f));
    }
    String differ = "the authors' but not ours: " + missed + "; ours but not theirs: " + extra;
    System.out.println(differ);
    assertEquals(101, theirs);
    assertTrue(missed.size() <= 1 && extra.size() <= 1, differ);
  }

  private static Model withMean(Model model, Dataset images) {
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    Shape image = Shape.of(3, 32, 32);
    float[] deviation = new float[3 * 32 * 32];
    Arrays.fill(deviation, 255);
    String input = model.graph().input().name();
    parameters.put(input + ".mean", new HostTensor(image, MeanImage.of(images)));
    parameters.put(input + ".std", new HostTensor(image, deviation));
    return new Model(model.graph(), parameters, model.metadata());
  }

  private static HostTensor weights(Model model, String layer) {
    return model.parameters().get(layer + ".weight");
  }

  /**
   * Filters of {@code before} that are not among those of {@code after}: the pairing in order with
   * the greatest sum of cosines.
   */
  private static TreeSet<Integer> removed(HostTensor before, HostTensor after) {
    int n = before.shape().size(0);
    int k = after.shape().size(0);
    double[][] best = new double[n + 1][k + 1];
    for (double[] row : best) {
      Arrays.fill(row, Double.NEGATIVE_INFINITY);
    }
    for (int i = 0; i <= n; i++) {
      best[i][0] = 0;
      for (int j = 1; j <= Math.min(i, k); j++) {
        best[i][j] =
            Math.max(best[i - 1][j], best[i - 1][j - 1] + cosine(before, i - 1, after, j - 1));
      }
    }
    TreeSet<Integer> out = new TreeSet<>();
    for (int i = n, j = k; i > 0; i--) {
      if (j > 0 && best[i][j] != best[i - 1][j]) {
        j--;
      } else {
        out.add(i - 1);
      }
    }
    return out;
  }

  private static double cosine(HostTensor a, int i, HostTensor b, int j) {
    int size = a.data().length / a.shape().size(0);
    double dot = 0;
    double first = 0;
    double second = 0;
    for (int x = 0; x < size; x++) {
      float u = a.data()[i * size + x];
      float v = b.data()[j * size + x];
      dot += u * v;
      first += u * u;
      second += v * v;
    }
    return dot / Math.sqrt(first * second);
  }
}
