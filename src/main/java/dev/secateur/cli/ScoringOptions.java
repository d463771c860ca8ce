package dev.secateur.cli;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.prune.Criterion;
import dev.secateur.prune.Scorer;
import dev.secateur.prune.Scores;
import dev.secateur.prune.ScoringData;
import dev.secateur.prune.criterion.Criteria;
import java.io.IOException;
import java.util.List;
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
      names = "--criterion",
      paramLabel = "NAME",
      defaultValue = "pls-vip",
      converter = Converters.CriterionName.class,
      completionCandidates = Converters.CriterionNames.class,
      description = {
        "what a filter is worth; default ${DEFAULT-VALUE}; one of",
        "${COMPLETION-CANDIDATES}"
      })
  private String criterion;

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
      names = "--features",
      paramLabel = "convolution|activation",
      defaultValue = "CONVOLUTION",
      description = {
        "where a filter's output is taken: convolution, before batch norm, as in the paper, or",
        "activation, behind the batch norm and activation that follow; default convolution"
      })
  private Pooling.Place place;

  @Option(
      names = "--samples",
      paramLabel = "N",
      defaultValue = "10000",
      converter = Converters.Count.class,
      description = "training images to score on; default ${DEFAULT-VALUE}")
  private int samples;

  DataOptions data() {
    return data;
  }

  int components() {
    return components;
  }

  Pooling pooling() {
    return new Pooling(pool == Pool.MAX ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE, place);
  }

  int samples() {
    return samples;
  }

  Criterion criterion(Common common) {
    return Criteria.named(criterion, new Criteria.Settings(components, common.seed()));
  }

  Scores score(Network net, List<String> layers, Common common) throws IOException {
    Dataset train = DataSets.spread(data.open(Split.TRAIN, net.graph(), common), samples);
    return Scorer.score(
        criterion(common),
        net,
        layers,
        new ScoringData(train, samples, data.batchSize(), pooling(), common.progress()));
  }
}
