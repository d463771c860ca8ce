package dev.secateur.bench;

import dev.secateur.device.Device;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Milliseconds a batch of several networks on one device, measured in turn in one run. */
public final class Latency {
  private static final long WARM_UP_NANOS = 300_000_000L;

  private Latency() {}

  /**
   * One network's time.
   *
   * @param median milliseconds a batch
   * @param low lower quartile
   * @param high upper quartile
   */
  public record Timing(double median, double low, double high) {}

  /**
   * Random pixels, forward pass only. After a warm-up the networks take turns, a batch each, so
   * that what disturbs the machine disturbs all of them.
   *
   * @param runs timed batches of each
   */
  public static List<Timing> measure(Device device, List<Model> models, int batch, int runs) {
    List<Network> nets = new ArrayList<>();
    List<InferenceProgram> programs = new ArrayList<>();
    try {
      for (Model m : models) {
        nets.add(new Network(device, m));
        programs.add(InferenceProgram.compile(nets.get(nets.size() - 1), batch, Optional.empty()));
      }
      for (InferenceProgram p : programs) {
        long start = System.nanoTime();
        do {
          time(device, p);
        } while (System.nanoTime() - start < WARM_UP_NANOS);
      }
      double[][] all = new double[models.size()][runs];
      for (int run = 0; run < runs; run++) {
        for (int i = 0; i < all.length; i++) {
          all[i][run] = time(device, programs.get(i));
        }
      }
      return Arrays.stream(all).map(Latency::timing).toList();
    } finally {
      programs.forEach(InferenceProgram::close);
      nets.forEach(Network::close);
    }
  }

  private static double time(Device device, InferenceProgram p) {
    long start = System.nanoTime();
    p.run();
    device.synchronize();
    return (System.nanoTime() - start) / 1e6;
  }

  private static Timing timing(double[] ms) {
    Arrays.sort(ms);
    return new Timing(ms[ms.length / 2], ms[ms.length / 4], ms[ms.length * 3 / 4]);
  }
}
