package dev.secateur.bench;

import dev.secateur.device.Device;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Sgd;
import dev.secateur.nn.TrainingProgram;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Milliseconds a batch of several networks on one device ({@link Device#time}), measured in turn in
 * one run.
 */
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

  /** A compiled network and what it does with one batch. */
  private record Program(Runnable run, Runnable close) {}

  /**
   * Random pixels, forward pass only. After a warm-up the networks take turns, a batch each, so
   * that what disturbs the machine disturbs all of them.
   *
   * @param runs timed batches of each
   */
  public static List<Timing> measure(Device device, List<Model> models, int batch, int runs) {
    return measure(device, models, runs, net -> inference(net, batch));
  }

  /** The same for whole training steps: forward, loss, backward, SGD with momentum. */
  public static List<Timing> measureTraining(
      Device device, List<Model> models, int batch, int runs) {
    return measure(device, models, runs, net -> training(net, batch));
  }

  private static Program inference(Network net, int batch) {
    InferenceProgram p = InferenceProgram.compile(net, batch, Optional.empty());
    return new Program(p::run, p::close);
  }

  private static Program training(Network net, int batch) {
    TrainingProgram p = TrainingProgram.compile(net, batch, new Sgd(0.9f, false, 1e-4f, 0), 0);
    p.setLearningRate(1e-4f);
    return new Program(p::step, p::close);
  }

  private static List<Timing> measure(
      Device device, List<Model> models, int runs, Function<Network, Program> compiler) {
    List<Network> nets = new ArrayList<>();
    List<Program> programs = new ArrayList<>();
    try {
      for (Model m : models) {
        nets.add(new Network(device, m));
        programs.add(compiler.apply(nets.get(nets.size() - 1)));
      }
      for (Program p : programs) {
        long start = System.nanoTime();
        do {
          device.time(p.run());
        } while (System.nanoTime() - start < WARM_UP_NANOS);
      }
      double[][] all = new double[models.size()][runs];
      for (int run = 0; run < runs; run++) {
        for (int i = 0; i < all.length; i++) {
          all[i][run] = device.time(programs.get(i).run());
        }
      }
      return Arrays.stream(all).map(Latency::timing).toList();
    } finally {
      programs.forEach(p -> p.close().run());
      nets.forEach(Network::close);
    }
  }

  private static Timing timing(double[] ms) {
    Arrays.sort(ms);
    return new Timing(ms[ms.length / 2], ms[ms.length / 4], ms[ms.length * 3 / 4]);
  }
}
