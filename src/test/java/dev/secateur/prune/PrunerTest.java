package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SettingException;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.Checkpoints;
import dev.secateur.train.ProgressListener;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrunerTest {

  /**
   * What scores next, and what is evaluated, has the statistics of its weights: those that ran
   * along in training lag behind where the rate does not end at 0.
   */
  @ParameterizedTest
  @CsvSource({
    "constant, iteration, 1, true",
    "constant, iteration, 2, false",
    "cosine, iteration, 1, false",
    "cosine, run, 1, true",
    "cosine, run, 2, false"
  })
  void statisticsAreTakenAnewBetweenIterations(
      String schedule, String span, int number, boolean anew) {
    Recipe recipe =
        Recipe.DEFAULT
            .with("scoring.criterion", "l1")
            .with("scoring.batch-size", 16)
            .with("fine-tuning.batch-size", 16)
            .with("fine-tuning.schedule", schedule)
            .with("fine-tuning.schedule-span", span)
            .with("fine-tuning.bn-recalibration", 64)
            .with("stop.iterations", 2);
    try (Device device = Devices.open("cpu");
        Network net = new Network(device, Architectures.create("resnet8", 4, 1, 16, 1))) {
      Pruner pruner =
          new Pruner(recipe, Images.of(new Corners(160, 1, 16), recipe), ProgressListener.none());
      Pruner.Step step =
          pruner.step(net.graph(), net, number, new RatioSelector(recipe), Optional.empty());
      try (Network got = step.network()) {
        List<Float> left = statistics(got);
        pruner.recalibrate(got);
        List<Float> again = statistics(got);
        assertFalse(left.isEmpty());
        assertEquals(anew, again.equals(left));
      }
    }
  }

  private static Recipe sparse(String kind, double strength) {
    return Recipe.DEFAULT
        .with("scoring.criterion", "l1")
        .with("scoring.batch-size", 16)
        .with("sparse-training.kind", kind)
        .with("sparse-training.strength", strength)
        .with("sparse-training.epochs", 10)
        .with("choice.pruning-ratio", 0.25)
        .with("fine-tuning.batch-size", 16)
        .with("fine-tuning.lr", 0.05)
        .with("fine-tuning.epochs", 0);
  }

  /** The part of prunable filters, or of scales, that is less than a tenth of the largest. */
  private static double nearZero(Recipe recipe, String part) {
    try (Device device = Devices.open("cpu");
        Network net = new Network(device, Architectures.create("resnet8", 4, 1, 16, 1));
        Network teacher = net.copy()) {
      Pruner pruner = pruner(recipe);
      pruner.trainSparse(
          net, Optional.empty(), teacher, ProgressListener.none(), Checkpoints.none());
      double[] norms =
          recipe.groups(net.graph()).layers().stream()
              .flatMapToDouble(l -> norms(net, l.replace("conv", part)))
              .toArray();
      double largest = Arrays.stream(norms).max().orElseThrow();
      return Arrays.stream(norms).filter(n -> n < 0.1 * largest).count() / (double) norms.length;
    }
  }

  private static Pruner pruner(Recipe recipe) {
    return new Pruner(recipe, Images.of(new Corners(160, 1, 16), recipe), ProgressListener.none());
  }

  /** Of slices of a parameter's first axis. */
  private static DoubleStream norms(Network net, String layer) {
    Tensor t = net.parameter(layer + ".weight");
    float[] w = net.device().downloadFloats(t);
    int row = w.length / t.shape().size(0);
    return IntStream.range(0, t.shape().size(0))
        .mapToDouble(
            k ->
                Math.sqrt(
                    IntStream.range(k * row, (k + 1) * row)
                        .mapToDouble(i -> (double) w[i] * w[i])
                        .sum()));
  }

  @ParameterizedTest
  @CsvSource({"group-lasso, conv, 0.06", "bn-scale, bn, 0.1"})
  void aPenaltyMakesSomeFiltersSmall(String kind, String part, double strength) {
    assertEquals(0, nearZero(sparse(kind, 1e-9), part), "with next to no penalty");
    double with = nearZero(sparse(kind, strength), part);
    assertTrue(with > 0.2 && with < 1, "some, not all: " + with);
  }

  @Test
  void whatWasChosenShrinksAndGoesAndNothingElse() {
    Recipe recipe = sparse("growing", 3);
    try (Device device = Devices.open("cpu");
        Network net = new Network(device, Architectures.create("resnet8", 4, 1, 16, 1));
        Network teacher = net.copy()) {
      Pruner pruner = pruner(recipe);
      Pruner.Chosen chosen = pruner.choose(net.graph(), net, new RatioSelector(recipe));
      assertEquals((16 + 32 + 64) / 4, chosen.removal().size());
      pruner.trainSparse(
          net, Optional.of(chosen), teacher, ProgressListener.none(), Checkpoints.none());
      for (String layer : recipe.groups(net.graph()).layers()) {
        for (String part : List.of(layer, layer.replace("conv", "bn"))) {
          double[] before = norms(teacher, part).toArray();
          double[] after = norms(net, part).toArray();
          for (int k = 0; k < after.length; k++) {
            boolean goes = Arrays.binarySearch(chosen.removal().of(layer), k) >= 0;
            double left = after[k] / before[k];
            assertTrue(goes ? left < 0.3 : left > 0.6, part + " " + k + " " + goes + ": " + left);
          }
        }
      }
      Pruner.Step step = pruner.step(net.graph(), net, 1, chosen);
      try (Network smaller = step.network()) {
        assertEquals(chosen.removal(), step.removal());
        Network expected = Surgery.remove(net, chosen.removal());
        try (expected) {
          for (String layer : recipe.groups(net.graph()).layers()) {
            assertArrayEquals(
                norms(expected, layer).toArray(), norms(smaller, layer).toArray(), layer);
          }
        }
      }
    }
  }

  @Test
  void aPenaltyOnNothingIsRefused() {
    Graph plain = Architectures.graph("vgg11", 10, 3, 32);
    Recipe recipe = sparse("bn-scale", 1).resolved();
    SettingException e =
        assertThrows(SettingException.class, () -> SparsePenalty.check(recipe, plain));
    assertEquals("sparse-training.kind", e.path());
    SparsePenalty.check(sparse("group-lasso", 1).resolved(), plain);
  }

  private static List<Float> statistics(Network net) {
    List<Float> out = new ArrayList<>();
    for (Node n : net.graph().nodes()) {
      if (n.op() instanceof BatchNorm) {
        for (String kind : List.of(".running_mean", ".running_var")) {
          for (float v : net.device().downloadFloats(net.parameter(n.name() + kind))) {
            out.add(v);
          }
        }
      }
    }
    return out;
  }
}
