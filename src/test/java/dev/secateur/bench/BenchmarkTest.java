package dev.secateur.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.EnergyMeter;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchmarkTest {
  @TempDir Path dir;

  @Test
  void theMedianAndItsIntervalAreOrderStatistics() {
    double[] ms = new double[100];
    Arrays.setAll(ms, i -> (i * 37) % 100); // 0..99 in another order
    Latency.Timing t = new Latency.Timing(ms);
    assertEquals(50, t.median());
    assertEquals(25, t.quantile(0.25));
    // ranks 50 -+ 9.8: the binomial's 95 %
    assertEquals(new Interval(t.median(), 40, 60), t.interval());
    assertEquals(0, ms[0], "the measured order stays");
  }

  @Test
  void speedupIsTakenTurnByTurn() {
    Latency.Timing slow = new Latency.Timing(new double[] {2, 40, 2, 4, 2});
    Latency.Timing fast = new Latency.Timing(new double[] {1, 20, 1, 2, 1});
    assertEquals(new Interval(2, 2, 2), fast.speedup(slow));
  }

  @Test
  void everyNetworkIsMeasuredByEveryEngine() throws IOException {
    Model small = Architectures.create("resnet8", 10, 3, 32, 1);
    Model large = Architectures.create("resnet14", 10, 3, 32, 1);
    List<Benchmark.Entry> entries =
        List.of(
            new Benchmark.Entry(Path.of("large.sct"), large),
            new Benchmark.Entry(Path.of("small.sct"), small));
    try (Device device = new CpuDevice()) {
      List<Benchmark.Row> rows =
          Benchmark.run(
              List.of(new Setting(device, "fp32")),
              entries,
              List.of(Benchmark.Engine.values()),
              List.of(1, 2),
              7,
              false);
      assertEquals(8, rows.size());
      double ratio = (double) Cost.of(large.graph()).macs() / Cost.of(small.graph()).macs();
      for (int i = 0; i < rows.size(); i++) {
        Benchmark.Row r = rows.get(i);
        assertEquals(i / 2 % 2 == 0 ? "large.sct" : "small.sct", r.model());
        assertEquals(i % 2 == 0 ? "secateur" : "onnxruntime", r.engine());
        assertEquals(i < 4 ? 1 : 2, r.batch());
        assertEquals(i / 2 % 2 == 0 ? 1 : ratio, r.macsRatio());
        assertTrue(r.low95() <= r.milliseconds() && r.milliseconds() <= r.high95(), r.toString());
        assertTrue(r.low95() > 0 && r.imagesPerSecond() > 0, r.toString());
        assertEquals(i % 2 == 1, r.peakBytes() == -1, r.toString());
      }
    }
  }

  @Test
  void gainsAreBeforeByAfterLayerByLayer() {
    List<Profile.Layer> before = List.of(layer("a", 100, 6), layer("b", 0, 2), layer("gone", 9, 1));
    List<Profile.Layer> after = List.of(layer("a", 50, 4), layer("b", 0, 2));
    List<Profile.Gain> gains = Profile.gains(before, after);
    assertEquals(
        List.of(new Profile.Gain("a", 2, 2, 1.5, 6, 4), new Profile.Gain("b", 1, 1, 1, 2, 2)),
        gains);
    assertEquals(9 / 6.0, Profile.byLayers(9, gains), 1e-12, "a in 3 ms, the others as before");
  }

  private static Profile.Layer layer(String name, long macs, double ms) {
    long bytes = Math.max(1, macs);
    return new Profile.Layer(
        name, List.of(name), "conv", "1x1x1", macs, bytes, 2, ms, ms, ms, 0, 1, true, 1);
  }

  /** A board at 3 mJ a batch of 0.7 ms, whose counter is brought up to date every 40 ms. */
  @Test
  void energyIsCountedBetweenTwoStepsOfTheCounter() {
    long[] done = {0};
    EnergyMeter meter =
        new EnergyMeter() {
          @Override
          public String source() {
            return "a counter";
          }

          @Override
          public double millijoules() {
            long seen = (long) Math.floor(done[0] * 0.7 / 40); // whole steps
            return 7e9 + Math.floor(seen * 40 / 0.7) * 3;
          }

          @Override
          public long settleMillis() {
            return 100;
          }

          @Override
          public void close() {}
        };
    Energy.Block b = Energy.block(meter, n -> done[0] += n, 500, () -> done[0] * 700_000);
    assertEquals(3, b.each(), 0.06, "a look or two of 500 ms: " + b);
    assertTrue(b.milliseconds() >= 500 && b.milliseconds() < 560, b.toString());
    assertEquals(3 / 0.7, b.millijoules() / b.milliseconds(), 0.1, "watts");
    EnergyMeter still = frozen(meter);
    String message =
        assertThrows(
                Energy.NotTold.class,
                () -> Energy.block(still, n -> done[0] += n, 500, () -> done[0] * 700_000))
            .getMessage();
    assertEquals("a counter stood still for 2000 ms", message);
  }

  private static EnergyMeter frozen(EnergyMeter meter) {
    return new EnergyMeter() {
      @Override
      public String source() {
        return meter.source();
      }

      @Override
      public double millijoules() {
        return 5;
      }

      @Override
      public long settleMillis() {
        return 0;
      }

      @Override
      public void close() {}
    };
  }

  @Test
  void theRooflineIsTheLowerOfTwoLimits() {
    Roofline r = new Roofline(100, 10);
    assertEquals(10, r.ridge());
    assertTrue(r.memoryBound(9.9) && !r.memoryBound(10));
    assertEquals(2, r.milliseconds(1e6, 20e6), 1e-12, "20 MB at 10 GB/s");
    assertEquals(3, r.milliseconds(300e6, 20e6), 1e-12, "0.3 GFLOP at 100 GFLOP/s");
  }

  @Test
  void aFileThatOnnxRuntimeRefusesIsNamed() throws IOException {
    Path file = Files.writeString(dir.resolve("bad.onnx"), "nothing");
    String message =
        assertThrows(SecateurException.class, () -> new OnnxRuntimeContender(file, 1)).getMessage();
    assertTrue(message.contains("bad.onnx") && message.lines().count() == 1, message);
  }
}
