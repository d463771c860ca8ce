package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.EmulatedCuda;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.ScoringData;
import dev.secateur.train.Augmentation;
import dev.secateur.train.BatchFeed;
import dev.secateur.train.ProgressListener;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Both devices come to the same filters and take the same training steps. */
class CudaAndCpuTest {
  private static final int BATCH = 16;

  private static Importance score(Device device, Model model, Dataset data) {
    try (Network net = new Network(device, model)) {
      return Importance.of(
          Criteria.named("pls-vip", new Criteria.Settings(Recipe.DEFAULT.scoring().pls(), 1)),
          net,
          ChannelGroups.of(net.graph(), Scope.PAPER).layers(),
          new ScoringData(data, data.size(), BATCH, Pooling.MAX, ProgressListener.none()));
    }
  }

  private static Removal lowest(Model model, Importance scores) {
    ChannelGroups units = ChannelGroups.of(model.graph(), Scope.PAPER);
    return new Selection(
            units, units.importance(scores, GroupReduction.MEAN), Constraints.NONE, model.graph())
        .lowest(0.3);
  }

  @ParameterizedTest
  @CsvSource({"resnet8, 3, 16", "resnet20, 3, 16", "resnet8, 1, 17"})
  void scoringChoosesTheSameFilters(String architecture, int channels, int width) {
    Model model = Architectures.create(architecture, 4, channels, width, 1);
    Dataset data = new Corners(100, channels, width);
    Importance expected;
    Importance got;
    try (Device cpu = new CpuDevice()) {
      expected = score(cpu, model, data);
    }
    try (Device cuda = TestCuda.open()) {
      got = score(cuda, model, data);
    }
    assertEquals(expected.byFilter().keySet(), got.byFilter().keySet());
    expected
        .byFilter()
        .forEach((name, vip) -> assertArrayEquals(vip, got.byFilter().get(name), 1e-3f, name));
    Removal chosen = lowest(model, expected);
    Removal other = lowest(model, got);
    assertEquals(chosen, other);
  }

  /**
   * Features come from rounded activations, PLS does not round: the VIPs differ by little, and with
   * TF32 and half precision nearly the same filters are the lowest.
   */
  @ParameterizedTest
  @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
  void scoringInLowPrecisionIsNear(Precision precision) {
    Model model = Architectures.create("resnet20", 4, 3, 16, 1);
    Dataset data = new Corners(100, 3, 16);
    Importance expected;
    Importance got;
    try (Device cuda = TestCuda.open()) {
      expected = score(cuda, model, data);
    }
    try (Device cuda = TestCuda.open(precision)) {
      got = score(cuda, model, data);
    }
    float near = precision == Precision.BF16 ? 0.1f : 0.02f;
    expected
        .byFilter()
        .forEach((name, vip) -> assertArrayEquals(vip, got.byFilter().get(name), near, name));
    Removal other = lowest(model, got);
    int[] counts = new int[2];
    lowest(model, expected)
        .filters()
        .forEach(
            (name, filters) -> {
              Set<Integer> chosen =
                  Arrays.stream(other.of(name)).boxed().collect(Collectors.toSet());
              counts[0] += filters.length;
              counts[1] += (int) Arrays.stream(filters).filter(chosen::contains).count();
            });
    assertTrue(counts[1] >= (precision == Precision.BF16 ? 0.85 : 0.97) * counts[0]);
    // the mean of VIP squared is 1 whatever the features: of doubles, kept as floats
    double sum = 0;
    int n = 0;
    for (float[] vip : got.byFilter().values()) {
      for (float v : vip) {
        sum += (double) v * v;
        n++;
      }
    }
    assertEquals(1, sum / n, 1e-6);
  }

  /** However many batches there are, the same few numbers come back to the host. */
  @Test
  void activationsStayOnTheDevice() {
    assumeTrue(TestCuda.emulated());
    Model model = Architectures.create("resnet8", 4, 1, 16, 1);
    long[] down = new long[2];
    long[] up = new long[2];
    try (Device cuda = TestCuda.open()) {
      for (int i = 0; i < 2; i++) {
        EmulatedCuda.reset();
        score(cuda, model, new Corners(64 * (i + 1), 1, 16));
        down[i] = EmulatedCuda.count("bytes DtoH");
        up[i] = EmulatedCuda.count("bytes HtoD");
      }
    }
    assertEquals(down[0], down[1], "bytes to the host");
    assertEquals(4 * BATCH * (16 * 16 + 4), up[1] - up[0], "pixels and labels of four batches");
  }

  /** Three steps with augmentation, momentum, weight decay and label smoothing. */
  @ParameterizedTest
  @CsvSource({"resnet8, 3, 16", "resnet8b, 1, 17"})
  void trainingStepsAreTheSame(String architecture, int channels, int width) {
    Model model = Architectures.create(architecture, 4, channels, width, 1);
    Dataset data = new Corners(3 * BATCH, channels, width);
    Model expected;
    Model got;
    double[] metrics = new double[8];
    try (Device cpu = new CpuDevice()) {
      expected = train(cpu, model, data, metrics, 0);
    }
    try (Device cuda = TestCuda.open()) {
      got = train(cuda, model, data, metrics, 4);
    }
    assertEquals(metrics[0], metrics[4], 1e-3 * metrics[0], "loss");
    assertEquals(3 * BATCH, metrics[7], "rows");
    expected
        .parameters()
        .forEach(
            (name, t) -> {
              float[] a = t.data();
              float[] b = got.parameters().get(name).data();
              double error = 0;
              double norm = 0;
              for (int i = 0; i < a.length; i++) {
                error += (a[i] - b[i]) * (double) (a[i] - b[i]);
                norm += a[i] * (double) a[i];
              }
              double near = 1e-3 * Math.sqrt(norm) + 1e-4;
              assertTrue(Math.sqrt(error) <= near, name + ": " + Math.sqrt(error / norm));
            });
  }

  private static Model train(Device device, Model model, Dataset data, double[] metrics, int at) {
    Augmentation crops = new Augmentation(2, true);
    try (Network net = new Network(device, model);
        TrainingProgram program =
            TrainingProgram.compile(net, BATCH, Learning.sgd(0.9f, true, 1e-3f, true, 0.1f), 2);
        BatchFeed feed = new BatchFeed(device, data, program.input(), crops, 1)) {
      program.setLearningRate(0.01f);
      feed.startEpoch(1, 0);
      while (feed.next() > 0) {
        program.step();
      }
      System.arraycopy(device.downloadDoubles(program.metrics()), 0, metrics, at, 4);
      return net.toModel();
    }
  }
}
