package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Network;
import dev.secateur.prune.Scorer;
import dev.secateur.prune.Scores;
import java.io.IOException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How filters are scored. Always on the training split. */
final class ScoringOptions {
  /** Names as on the command line. */
  enum Pool {
    MAX,
    AVG
  }

  @Mixin private DataOptions data;

  @Option(
      names = "--components",
      paramLabel = "C",
      defaultValue = "2",
      converter = Converters.Count.class,
      description = "PLS components; default ${DEFAULT-VALUE}")
  private int components;

  @Option(
      names = "--pool",
      paramLabel = "max|avg",
      defaultValue = "MAX",
      description = "how a channel becomes one number; default max")
  private Pool pool;

  @Option(
      names = "--samples",
      paramLabel = "N",
      defaultValue = "10000",
      converter = Converters.Count.class,
      description = "training images to score on; default ${DEFAULT-VALUE}")
  private int samples;

  Scores score(Network net, Common common) throws IOException {
    Dataset train = data.open(Split.TRAIN);
    PoolSpec.Kind kind = pool == Pool.MAX ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE;
    var in = net.graph().shape(net.graph().input().name());
    if (in.dim(1) != train.channels() || in.dim(2) != train.height()) {
      throw new SecateurException(
          data.spec() + ": images do not fit the network's input " + in + " (1xCxHxW)");
    }
    return Scorer.score(net, train, components, kind, samples, data.batchSize(), common.progress());
  }
}
