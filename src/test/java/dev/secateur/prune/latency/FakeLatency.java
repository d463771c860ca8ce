package dev.secateur.prune.latency;

import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceStep;
import dev.secateur.nn.op.Convolution;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Scope;
import java.util.List;
import java.util.SplittableRandom;

/** Times made up: convolutions in stairs of channels, all else by the size of its output. */
public record FakeLatency(int stair, double noise) implements StepLatency {
  @Override
  public double milliseconds(InferenceStep step) {
    double ms = 1e-6 * step.output().elements();
    if (step.op() instanceof Convolution c) {
      long in = up(step.inputs().get(0).dim(1));
      long positions = step.output().dim(2) * step.output().dim(3);
      ms = 1e-6 * in * up(c.outChannels()) * positions * c.kernelH() / c.spec().groups();
    }
    SplittableRandom random = new SplittableRandom(step.toString().hashCode());
    random.nextDouble();
    return (ms + 1e-4) * (1 + noise * random.nextDouble());
  }

  private long up(long channels) {
    return (channels + stair - 1) / stair * stair;
  }

  /** Puts times of all widths of single layers where a device's lookup table is looked for. */
  public void fill(Device device, int batch, Graph graph) {
    ChannelGroups groups = ChannelGroups.of(graph, Scope.PAPER);
    LatencyModel model = new LatencyModel(graph, LatencyLookupTable.of(device, batch, this));
    for (List<Integer> alike : groups.interchangeable()) {
      int[] left = groups.widths();
      do {
        model.milliseconds(left);
      } while (groups.prune(alike.get(0), left)); // which of them does not count
    }
  }
}
