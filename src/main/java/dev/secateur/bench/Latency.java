package dev.secateur.bench;

import dev.secateur.device.Cleanup;
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

/** Milliseconds a batch of several networks on one device, measured in turn in one run. */
public final class Latency {

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
   * @param runs timed batches of each; the warm-up before takes secateur.bench.warmup milliseconds
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
    try {
      p.setLearningRate(1e-4f);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, p);
    }
    return new Program(p::step, p::close);
  }

  private static List<Timing> measure(
      Device device, List<Model> models, int runs, Function<Network, Program> compiler) {
    long warmUp = Long.getLong("secateur.bench.warmup", 300) * 1_000_000;
    List<Program> programs = new ArrayList<>();
    try (Cleanup closers = new Cleanup()) {
      for (Model m : models) {
        Network net = new Network(device, m);
        closers.add(net::close);
        Program p = compiler.apply(net);
        closers.add(p.close());
        programs.add(p);
      }
      for (Program p : programs) {
        long start = System.nanoTime();
        do {
          time(device, p);
        } while (System.nanoTime() - start < warmUp);
      }
      double[][] all = new double[models.size()][runs];
      for (int run = 0; run < runs; run++) {
        for (int i = 0; i < all.length; i++) {
          all[i][run] = time(device, programs.get(i));
        }
      }
      return Arrays.stream(all).map(Latency::timing).toList();
    }
  }

  private static double time(Device device, Program p) {
    long start = System.nanoTime();
    p.run().run();
    device.synchronize();
    return (System.nanoTime() - start) / 1e6;
  }

  private static Timing timing(double[] ms) {
    Arrays.sort(ms);
    return new Timing(ms[ms.length / 2], ms[ms.length / 4], ms[ms.length * 3 / 4]);
  }
}
