package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.train.ProgressListener;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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

  private static List<Float> statistics(Network net) {
    List<Float> out = new ArrayList<>();
    for (Node n : net.graph().nodes()) {
      if (n.op() instanceof Op.BatchNorm) {
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
