package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.data.Corners;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.device.GroupPenalty;
import dev.secateur.device.Precision;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Penalty;
import dev.secateur.prune.Recipe;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A training that is stopped again and again ends bit for bit as one that is not. */
class TrainerTest {
  private static final int BATCH = 16;

  @TempDir Path dir;
  private Dataset data;
  private Dataset heldOut;
  private Network teacher;
  private TrainingOptions options = options(Learning.sgd(0.9f, true, 1e-3f, false, 0.1f), false);

  @BeforeEach
  void makeData() throws IOException {
    Corners.write(dir, 100, 20);
    data = DataSets.open("idx:" + dir, Split.TRAIN);
    heldOut = DataSets.open("idx:" + dir, Split.TEST);
  }

  /** Keeps the last state in memory, and stops after so many steps of each start. */
  private static final class Memory implements Checkpoints {
    private final int most;
    private Optional<TrainingState> kept = Optional.empty();
    private int asked;
    private int saved;

    Memory(int most) {
      this.most = most;
    }

    @Override
    public Optional<TrainingState> load() {
      asked = 0;
      return kept;
    }

    @Override
    public void save(TrainingState state) {
      kept = Optional.of(state);
      saved++;
    }

    @Override
    public boolean due() {
      return false;
    }

    @Override
    public boolean stopAsked() {
      return asked++ == most;
    }
  }

  private static TrainingOptions options(Learning learning, boolean keepBest) {
    return new TrainingOptions(
        BATCH,
        3,
        Schedule.of(Schedule.Kind.COSINE, 0.05, 3, 0.5),
        learning,
        keepBest ? new Augmentation(2, true, 0.8, 1, 0.5, 0) : new Augmentation(2, true),
        1,
        keepBest,
        5);
  }

  private static Model fresh(int seed) {
    return Architectures.create("resnet8", 4, 1, 16, seed);
  }

  private List<EpochMetrics> train(Network net, Checkpoints checkpoints) {
    TrainingContext context =
        new TrainingContext(
            ProgressListener.none(), checkpoints, Optional.of(heldOut), Optional.of(teacher(net)));
    return Trainer.train(net, data, options, context);
  }

  private Network teacher(Network net) {
    if (teacher == null) {
      teacher = new Network(net.device(), fresh(9));
    }
    return teacher;
  }

  @Test
  void aStoppedTrainingEndsAsAnUninterruptedOne() {
    try (Device device = new CpuDevice()) {
      checkStops(device, 1, 4, 6, 7, 13);
    }
  }

  /**
   * A moving average, AdamW's moments and steps, and the best epoch are a part of the state; a
   * penalty grows on.
   */
  @Test
  void whateverIsKept() {
    Map<String, int[]> some =
        Map.of("layer1.0.conv1.weight", new int[] {0, 3}, "layer1.0.bn1.weight", new int[] {2});
    Penalty growing = new Penalty(GroupPenalty.RIDGE, some, 1, true);
    Learning all =
        new Learning(
            new Learning.AdamW(0.9f, 0.999f, 1e-8f),
            0.01f,
            false,
            0,
            Optional.of(new Learning.Distillation(4, 0.9f)),
            0.9f,
            Optional.of(growing));
    options = options(all, true);
    try (Device device = new CpuDevice()) {
      checkStops(device, 4, 7);
    }
  }

  /** In half precision the scale of the loss is a part of the state. */
  @Test
  void onCudaToo() {
    try (Device device = TestCuda.open(Precision.FP16)) {
      checkStops(device, 5);
    }
  }

  private void checkStops(Device device, int... lengths) {
    Model expected;
    List<EpochMetrics> epochs;
    try (Network net = new Network(device, fresh(1))) {
      epochs = train(net, Checkpoints.none());
      expected = net.toModel();
    }
    for (int steps : lengths) {
      Memory memory = new Memory(steps);
      int starts = 1;
      while (true) {
        // other parameters each time: all that counts is in the state
        try (Network net = new Network(device, fresh(starts))) {
          List<EpochMetrics> again = train(net, memory);
          assertEquals(epochs.size(), again.size());
          for (int i = 0; i < epochs.size(); i++) {
            assertEquals(epochs.get(i).loss(), again.get(i).loss(), "epoch " + i);
            assertEquals(epochs.get(i).top1(), again.get(i).top1(), "epoch " + i);
            assertEquals(epochs.get(i).heldOutTop1(), again.get(i).heldOutTop1());
            assertEquals(epochs.get(i).heldOutLoss(), again.get(i).heldOutLoss());
            assertEquals(epochs.get(i).learningRate(), again.get(i).learningRate());
          }
          assertSame(expected, net.toModel(), "stopped every " + steps + " steps");
          break;
        } catch (Stopped e) {
          starts++;
        }
      }
      // 6 steps an epoch, and its end is a place too
      assertEquals(18 / steps + 1, starts, 3, "starts of " + steps + " steps");
      assertEquals(starts - 1, memory.saved);
    }
  }

  private static void assertSame(Model expected, Model got, String what) {
    List<String> names = new ArrayList<>(expected.parameters().keySet());
    assertTrue(names.stream().anyMatch(n -> n.endsWith("running_var")));
    for (String name : names) {
      HostTensor want = expected.parameters().get(name);
      assertArrayEquals(want.data(), got.parameters().get(name).data(), what + ": " + name);
    }
  }

  /** The first epoch is the best where the rate rises beyond all measure. */
  @Test
  void theBestEpochIsKeptWhereThatIsAskedFor() {
    Schedule rising =
        new Schedule(Schedule.Kind.CONSTANT, 3, 12, 12, new double[0], 1, 0); // 0 to 3 in 12
    Learning learning = Learning.sgd(0.9f, false, 0, false, 0);
    try (Device device = new CpuDevice()) {
      TrainingOptions best =
          new TrainingOptions(BATCH, 6, rising, learning, Augmentation.NONE, 2, true, 5);
      try (Network net = new Network(device, fresh(1))) {
        options = best;
        List<EpochMetrics> epochs = train(net, Checkpoints.none());
        for (int i = 0; i < 6; i++) {
          assertEquals(i % 2 == 1, epochs.get(i).heldOutTop1().isPresent(), "every second");
        }
        EpochMetrics chosen = EpochMetrics.best(epochs).orElseThrow();
        Evaluation kept = Evaluator.evaluate(net, heldOut, 20, ProgressListener.none());
        assertEquals(chosen.heldOutTop1().orElseThrow(), kept.top1());
        assertEquals(chosen.heldOutLoss().orElseThrow(), kept.loss(), 1e-6);
      }
      TrainingContext none = TrainingContext.none();
      try (Network net = new Network(device, fresh(1))) {
        SecateurException e =
            assertThrows(SecateurException.class, () -> Trainer.train(net, data, best, none));
        assertTrue(e.getMessage().contains("fine-tuning.keep"), e.getMessage());
      }
    }
  }

  @Test
  void ofEqualEpochsTheOneOfLowestLossIsBest() {
    List<EpochMetrics> all =
        List.of(
            epoch(1, 90, 0.5),
            epoch(2, 91, 0.7),
            epoch(3, 91, 0.6),
            epoch(4, 91, 0.6),
            epoch(5, 80, 0.1));
    assertEquals(3, EpochMetrics.best(all).orElseThrow().epoch());
    assertTrue(EpochMetrics.best(List.of()).isEmpty());
  }

  private static EpochMetrics epoch(int number, double top1, double loss) {
    return new EpochMetrics(number, 1, 50, 0.1, 1, 1, Optional.of(top1), Optional.of(loss));
  }

  /** Two trainings with one schedule have the rates of one of twice the length. */
  @Test
  void aScheduleCanSpanSeveralTrainings() {
    Recipe r =
        Recipe.DEFAULT
            .with("fine-tuning.epochs", 10)
            .with("stop.iterations", 3)
            .with("fine-tuning.warmup-epochs", 2)
            .with("fine-tuning.recovery-epochs", 5)
            .with("fine-tuning.schedule-span", "run");
    Schedule whole = Schedule.of(Schedule.Kind.COSINE, 0.01, 35, 2);
    for (int i = 1; i <= 3; i++) {
      TrainingOptions o = r.fineTuning().options(1, i, 3, i == 3);
      assertEquals(i == 3 ? 15 : 10, o.epochs());
      for (double e : new double[] {0, 0.5, 3, 9.9}) {
        assertEquals(whole.at(10 * (i - 1) + e), o.schedule().at(e), 1e-12);
      }
    }
    Recipe open = r.with("stop.max-drop", 1);
    assertEquals(3, open.stop().iterations().orElseThrow());
    SecateurException e =
        assertThrows(
            SecateurException.class,
            () -> Recipe.DEFAULT.with("stop.max-drop", 1).with("fine-tuning.schedule-span", "run"));
    assertTrue(e.getMessage().startsWith("fine-tuning.schedule-span run"), e.getMessage());
  }

  @Test
  void theStateOfAnotherNetworkIsRefused() {
    try (Device device = new CpuDevice();
        Network net = new Network(device, fresh(1));
        Network other = new Network(device, Architectures.create("resnet14b", 4, 1, 16, 1))) {
      Memory memory = new Memory(2);
      assertThrows(Stopped.class, () -> train(net, memory));
      SecateurException e = assertThrows(SecateurException.class, () -> train(other, memory));
      assertTrue(e.getMessage().contains("is of another network"), e.getMessage());
    }
  }
}
