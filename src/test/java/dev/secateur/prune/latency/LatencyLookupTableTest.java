package dev.secateur.prune.latency;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.device.Activation;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.InferenceStep;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.tensor.Shape;
import dev.secateur.util.LineCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a table keeps, and of what. */
class LatencyLookupTableTest {
  @TempDir Path folder;
  private int asked;

  private static InferenceStep step(int channels) {
    Shape s = Shape.of(1, channels, 4, 4);
    return new InferenceStep(
        new Activate(Activation.RELU),
        List.of(s),
        s,
        false,
        false,
        Activation.NONE,
        Optional.empty(),
        false);
  }

  private static InferenceStep select(int from) {
    Shape s = Shape.of(1, 400, 2, 2);
    List<Integer> channels = IntStream.range(0, 400).mapToObj(i -> (i + from) % 400).toList();
    return new InferenceStep(
        new SelectChannels(channels),
        List.of(s),
        s,
        false,
        false,
        Activation.NONE,
        Optional.empty(),
        false);
  }

  private LatencyLookupTable table(String device, int batch) {
    return new LatencyLookupTable(
        s -> s.output().dim(1) + ++asked / 1000.0,
        batch,
        LineCache.in(folder, device, LatencyLookupTable.value(), LatencyLookupTable.otherwise()));
  }

  @Test
  void aStepIsMeasuredOnceForADeviceAndABatch() {
    LatencyLookupTable first = table("a", 1);
    assertEquals(3.001, first.milliseconds(step(3)), 1e-9);
    assertEquals(3.001, first.milliseconds(step(3)), 1e-9);
    assertEquals(4.002, first.milliseconds(step(4)), 1e-9);
    assertEquals(2, first.measured());
    LatencyLookupTable later = table("a", 1);
    assertEquals(4.002, later.milliseconds(step(4)), 1e-9);
    assertEquals(3.001, later.milliseconds(step(3)), 1e-9);
    assertEquals(0, later.measured());
    assertEquals(3.003, table("a", 2).milliseconds(step(3)), 1e-9, "another batch");
    assertEquals(3.004, table("b", 1).milliseconds(step(3)), 1e-9, "another device");
  }

  @Test
  void longStepsAreToldApart() {
    LatencyLookupTable t = table("a", 1);
    double one = t.milliseconds(select(7));
    double two = t.milliseconds(select(8));
    assertTrue(one != two);
    LatencyLookupTable later = table("a", 1);
    assertEquals(one, later.milliseconds(select(7)));
    assertEquals(two, later.milliseconds(select(8)));
  }

  @Test
  void aDamagedLineIsMeasuredAnewAndTheOthersCount() throws IOException {
    LatencyLookupTable first = table("a", 1);
    first.milliseconds(step(3));
    first.milliseconds(step(4));
    Path file = folder.resolve("a.txt");
    String text = Files.readString(file);
    Files.writeString(file, text.substring(0, text.length() - 4)); // cut in the last number
    LatencyLookupTable later = table("a", 1);
    assertEquals(3.001, later.milliseconds(step(3)), 1e-9);
    assertEquals(0, later.measured());
    assertEquals(4.003, later.milliseconds(step(4)), 1e-9, "not the number cut short");
    assertEquals(4.003, table("a", 1).milliseconds(step(4)), 1e-9);
    Files.write(file, new byte[] {0, (byte) 200, '\n', 9, 9, 7});
    assertEquals(3.004, table("a", 1).milliseconds(step(3)), 1e-9, "nothing is left of it");
  }

  @Test
  void devicesAreTimed() {
    for (Device opened : List.of(new CpuDevice(), TestCuda.open())) {
      try (Device device = opened) {
        LatencyLookupTable t = LatencyLookupTable.of(device, 2);
        assertTrue(t.milliseconds(step(8)) > 0);
        assertEquals(t.milliseconds(step(8)), t.milliseconds(step(8)));
        assertEquals(1, t.measured());
      }
    }
  }
}
