package dev.secateur.bench;

import dev.secateur.device.Kernel;
import dev.secateur.device.KernelTimes;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Step;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where a network's time goes, layer by layer.
 *
 * <p>Running one kernel many times in a row would keep its data in the caches and its code warm, so
 * each pass runs the whole network, every kernel once and in order, with a stamp of the device's
 * clock between them ({@link dev.secateur.device.Device#timeEach}). One or more untimed passes go
 * right before, so that caches are as in continuous use and, on a GPU, the host is done enqueuing
 * before the first timed kernel begins; without that lead small kernels would show how long the
 * host takes to launch. A kernel's time is its median over all passes; several networks take turns,
 * pass by pass, so that what disturbs the machine disturbs all of them.
 *
 * <p>FLOPs are twice the MACs, intensity is FLOPs by {@link Step#bytes}.
 */
public final class Profile {
  /** Untimed passes ahead at most. */
  private static final int MOST_AHEAD = 64;

  private Profile() {}

  /**
   * One launch and what is fused into it.
   *
   * @param layer its first node; "(single precision)" for the result's conversion
   * @param kernel what it computes, in words: "conv 3x3/2 +bn +relu"
   * @param output channels x height x width
   * @param macs of one image
   * @param bytes moved for the whole batch: inputs, outputs, parameters
   * @param intensity FLOPs a byte
   * @param milliseconds for the whole batch, median; low95 and high95 are its 95 % interval
   * @param share of the sum of all layers' times
   * @param memoryBound whether the intensity lies below the roofline's ridge
   * @param ofRoof the least time by the roofline by the measured one: near 1 the layer is as fast
   *     as the device allows, far below it something else holds it up (too little work to fill the
   *     device, launching); above 1 its data came from a cache
   */
  public record Layer(
      String layer,
      List<String> nodes,
      String kernel,
      String output,
      long macs,
      long bytes,
      double intensity,
      double milliseconds,
      double low95,
      double high95,
      double share,
      double gflops,
      boolean memoryBound,
      double ofRoof) {}

  /**
   * A layer beside the first network's layer of that name: before by after, so above 1 is less or
   * faster.
   *
   * @param byMacs 1 where both have none
   */
  public record Gain(
      String layer,
      double byMacs,
      double byBytes,
      double measured,
      double millisecondsBefore,
      double milliseconds) {}

  /**
   * One network at one batch size and precision.
   *
   * @param layersMilliseconds sum of the layers' medians; on a busy machine less than a pass takes,
   *     because the median leaves out what interrupts single layers
   * @param passMilliseconds median of passes with stamps, from the first stamp to the last
   * @param batchMilliseconds median of passes without stamps, launched as always; what it is longer
   *     by than a pass with stamps is launching and gaps, what it is shorter by the stamps' own
   *     time and, with a CUDA graph, the gaps that it closes
   * @param stampMilliseconds two stamps with nothing between them; each layer's time holds one
   * @param waited passes in which the GPU waited for the host; their small kernels look too slow
   * @param gains against the first network; empty for itself
   * @param byMacs the first network's MACs by this one's
   * @param byLayers the speedup if each layer's time fell as its MACs did and the rest stayed
   * @param measuredLayers the first network's layersMilliseconds by this one's
   * @param measured the first network's batchMilliseconds by this one's
   */
  public record Result(
      String model,
      String math,
      int batch,
      Roofline roofline,
      double ridge,
      double layersMilliseconds,
      double passMilliseconds,
      double batchMilliseconds,
      double stampMilliseconds,
      int waited,
      List<Layer> layers,
      List<Gain> gains,
      double byMacs,
      double byLayers,
      double measuredLayers,
      double measured) {}

  /**
   * @param runs timed passes of each network
   */
  public static List<Result> run(
      List<Setting> settings, List<Benchmark.Entry> entries, List<Integer> batches, int runs) {
    List<Roofline> roofs = settings.stream().map(s -> Roofline.measure(s.device())).toList();
    List<Result> out = new ArrayList<>();
    for (int batch : batches) {
      try (Cleanup closers = new Cleanup()) {
        List<Passes> all = new ArrayList<>();
        for (Benchmark.Entry e : entries) {
          for (Setting s : settings) {
            all.add(new Passes(s, e, batch, runs, closers));
          }
        }
        all.forEach(Passes::warmUp);
        for (int run = 0; run < runs; run++) {
          for (Passes p : all) {
            p.pass(run);
          }
        }
        List<Result> results = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
          int setting = i % settings.size();
          Optional<Result> first =
              i < settings.size() ? Optional.empty() : Optional.of(results.get(setting));
          results.add(all.get(i).result(roofs.get(setting), first));
        }
        out.addAll(results);
      }
    }
    return out;
  }

  /** A compiled network and the times of its passes. */
  private static final class Passes {
    private final Setting setting;
    private final Benchmark.Entry entry;
    private final int batch;
    private final InferenceProgram program;
    private final List<Kernel> kernels = new ArrayList<>();
    private final double[][] times;
    private final double[] passes;
    private final double[] whole;
    private int ahead = 1;
    private int waited;

    Passes(Setting setting, Benchmark.Entry entry, int batch, int runs, Cleanup closers) {
      this.setting = setting;
      this.entry = entry;
      this.batch = batch;
      Network net = new Network(setting.device(), entry.model());
      closers.add(net::close);
      program = InferenceProgram.compile(net, batch, Optional.empty());
      closers.add(program::close);
      OwnContender.noise(setting.device(), program.pixels());
      kernels.add(() -> {}); // for the time of a stamp
      program.steps().forEach(s -> kernels.add(s.kernel()));
      times = new double[kernels.size()][runs];
      passes = new double[runs];
      whole = new double[runs];
    }

    void warmUp() {
      Latency.warmUp(() -> setting.device().time(program::run));
      while (!each().gapless() && ahead < MOST_AHEAD) {
        ahead *= 2;
      }
    }

    private KernelTimes each() {
      Kernel lead =
          () -> {
            for (int i = 0; i < ahead; i++) {
              program.run();
            }
          };
      return setting.device().timeEach(lead, kernels);
    }

    void pass(int run) {
      KernelTimes t = each();
      waited += t.gapless() ? 0 : 1;
      for (int i = 0; i < times.length; i++) {
        times[i][run] = t.milliseconds()[i];
      }
      passes[run] = Arrays.stream(t.milliseconds()).sum();
      whole[run] = setting.device().time(program::run);
    }

    Result result(Roofline roof, Optional<Result> first) {
      List<Latency.Timing> timings = new ArrayList<>();
      for (double[] t : times) {
        timings.add(new Latency.Timing(t));
      }
      double stamp = timings.remove(0).median();
      double sum = timings.stream().mapToDouble(Latency.Timing::median).sum();
      List<Layer> layers = new ArrayList<>();
      for (int i = 0; i < timings.size(); i++) {
        layers.add(layer(program.steps().get(i), timings.get(i), sum, roof));
      }
      double batchMs = new Latency.Timing(whole).median();
      List<Gain> gains = first.map(f -> gains(f.layers(), layers)).orElse(List.of());
      return new Result(
          entry.file().toString(),
          setting.math(),
          batch,
          roof,
          roof.ridge(),
          sum,
          new Latency.Timing(passes).median(),
          batchMs,
          stamp,
          waited,
          layers,
          gains,
          first.map(f -> (double) macs(f.layers()) / macs(layers)).orElse(1.0),
          first.map(f -> byLayers(f.layersMilliseconds(), gains)).orElse(1.0),
          first.map(f -> f.layersMilliseconds() / sum).orElse(1.0),
          first.map(f -> f.batchMilliseconds() / batchMs).orElse(1.0));
    }

    private Layer layer(Step s, Latency.Timing t, double sum, Roofline roof) {
      Graph graph = entry.model().graph();
      long macs = s.nodes().stream().mapToLong(n -> Cost.macs(graph, n)).sum();
      double flops = 2.0 * macs * batch;
      double ms = t.median();
      Interval interval = t.interval();
      String shape = s.output().shape().toString();
      return new Layer(
          s.nodes().isEmpty() ? "(single precision)" : s.nodes().get(0).name(),
          s.nodes().stream().map(Node::name).toList(),
          KernelNames.of(graph, s.nodes()),
          shape.substring(shape.indexOf('x') + 1),
          macs,
          s.bytes(),
          flops / s.bytes(),
          ms,
          interval.low95(),
          interval.high95(),
          ms / sum,
          flops / ms / 1e6,
          roof.memoryBound(flops / s.bytes()),
          roof.milliseconds(flops, s.bytes()) / ms);
    }
  }

  private static long macs(List<Layer> layers) {
    return layers.stream().mapToLong(Layer::macs).sum();
  }

  /** Layers of both networks, by the name of the first node. */
  static List<Gain> gains(List<Layer> before, List<Layer> after) {
    Map<String, Layer> byName = new HashMap<>();
    before.forEach(l -> byName.put(l.layer(), l));
    List<Gain> out = new ArrayList<>();
    for (Layer l : after) {
      Layer b = byName.get(l.layer());
      if (b != null) {
        out.add(
            new Gain(
                l.layer(),
                b.macs() == l.macs() ? 1 : (double) b.macs() / l.macs(),
                (double) b.bytes() / l.bytes(),
                b.milliseconds() / l.milliseconds(),
                b.milliseconds(),
                l.milliseconds()));
      }
    }
    return out;
  }

  /**
   * Of the sums of layers' times; a layer that is in one network only counts as it is in the first.
   */
  static double byLayers(double before, List<Gain> gains) {
    double left = before;
    for (Gain g : gains) {
      left -= g.millisecondsBefore() * (1 - 1 / g.byMacs());
    }
    return before / left;
  }
}
