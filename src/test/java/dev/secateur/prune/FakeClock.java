package dev.secateur.prune;

import dev.secateur.nn.InferenceStep;
import dev.secateur.nn.Op;
import java.util.SplittableRandom;

/** Times made up: convolutions in stairs of channels, all else by the size of its output. */
record FakeClock(int stair, double noise) implements StepClock {
  @Override
  public double milliseconds(InferenceStep step) {
    double ms = 1e-6 * step.output().elements();
    if (step.op() instanceof Op.Convolution c) {
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
}
