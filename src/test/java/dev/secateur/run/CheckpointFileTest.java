package dev.secateur.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.prune.Recipe;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.TrainingState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A training's state in a file: what is read is what was written, bit for bit. */
class CheckpointFileTest {
  @TempDir Path dir;
  private final List<String> warnings = new ArrayList<>();
  private long now;
  private boolean stop;

  private CheckpointFile open(boolean resume, double minutes, String device, String processor) {
    RunInputs inputs =
        new RunInputs(
            "m",
            1,
            "d",
            device,
            "fp32",
            "test",
            Optional.empty(),
            Optional.of(processor),
            Optional.empty());
    Upkeep upkeep = new Upkeep(resume, minutes, () -> now, () -> stop, warnings::add);
    RunRecord record = new RunRecord(inputs, Recipe.DEFAULT, Optional.empty());
    return new CheckpointFile(dir.resolve("x.checkpoint"), record, upkeep);
  }

  private static TrainingState state() {
    return new TrainingState(
        3,
        128,
        new double[] {1.0 / 3, 1e-300, 7, 128},
        Math.PI,
        List.of(
            new EpochMetrics(
                1, 0.1 + 0.2, 50, 0.01, 1e3 / 7, 2, Optional.of(1.0 / 9), Optional.empty())),
        Map.of(
            "parameters/a", new HostTensor(Shape.of(3), new float[] {1f / 3, -0f, 1e-42f}),
            "loss-scale", new HostTensor(Shape.of(2), new float[] {65536, 3})));
  }

  @Test
  void aStateIsReadAsItWasWritten() {
    CheckpointFile file = open(false, 10, "cpu", "one");
    assertTrue(file.load().isEmpty());
    file.save(state());
    TrainingState got = open(true, 10, "cpu", "one").load().orElseThrow();
    TrainingState want = state();
    assertEquals(want.epoch(), got.epoch());
    assertEquals(want.done(), got.done());
    assertEquals(want.seconds(), got.seconds());
    assertEquals(want.epochs(), got.epochs());
    assertArrayEquals(want.metrics(), got.metrics());
    assertEquals(want.tensors().keySet(), got.tensors().keySet());
    want.tensors().forEach((n, t) -> assertArrayEquals(t.data(), got.tensors().get(n).data(), n));
    assertEquals(List.of(), warnings);
  }

  @Test
  void itIsTimeAfterTheMinutesAskedFor() {
    CheckpointFile file = open(false, 2, "cpu", "one");
    now = 119_999_999_999L;
    assertFalse(file.due());
    now = 120_000_000_000L;
    assertTrue(file.due());
    file.save(state());
    assertFalse(file.due(), "counted from the last one");
    now += 120_000_000_000L;
    assertTrue(file.due());
    assertFalse(open(true, 0, "cpu", "one").due(), "0: never");
    stop = true;
    assertTrue(file.stopAsked());
  }

  @Test
  void whatIsInTheWayIsNotOverwritten() throws IOException {
    open(false, 10, "cpu", "one").save(state());
    SecateurException e =
        assertThrows(SecateurException.class, () -> open(false, 10, "cpu", "one"));
    assertTrue(e.getMessage().contains("x.checkpoint: is the state of a training"), e.getMessage());
    CheckpointFile again = open(true, 10, "cpu", "one");
    again.remove();
    assertTrue(again.load().isEmpty(), "nothing to go on with: from the beginning");
  }

  @Test
  void anotherDeviceOfTheKindIsAWarning() {
    open(false, 10, "cuda:0", "one").save(state());
    assertTrue(open(true, 10, "cuda:1", "two").load().isPresent());
    assertEquals(1, warnings.size());
    assertTrue(warnings.get(0).startsWith("begun on one, now on two"), warnings.get(0));
    CheckpointFile other = open(true, 10, "cpu", "two");
    SecateurException e = assertThrows(SecateurException.class, other::load);
    assertTrue(e.getMessage().contains("inputs.device was \"cuda\""), e.getMessage());
  }

  @Test
  void aDamagedFileIsToldInOneLine() throws IOException {
    CheckpointFile file = open(false, 10, "cpu", "one");
    for (String bytes : List.of("", "no tensors at all", "\2\0\0\0\0\0\0\0{}")) {
      Files.writeString(dir.resolve("x.checkpoint"), bytes);
      SecateurException e = assertThrows(SecateurException.class, file::load);
      assertTrue(e.getMessage().endsWith("x.checkpoint: is damaged"), e.getMessage());
    }
  }
}
