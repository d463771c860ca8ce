package dev.secateur.cli;

import dev.secateur.device.Device;
import dev.secateur.io.Json;
import dev.secateur.nn.Network;
import dev.secateur.prune.Scores;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "score", description = "Scores every prunable filter.")
final class ScoreCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScopeOption scope;
  @Mixin private ScoringOptions scoring;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description =
          "also write the scores as JSON: the criterion, then by layer each filter's score")
  private Optional<Path> output;

  @Override
  public Integer call() throws IOException {
    Scores scores;
    try (Device device = common.openDevice();
        Network net = new Network(device, model.open(common))) {
      scores = scoring.score(net, scope.units(net.graph()).layers(), common);
    }
    if (output.isPresent()) {
      Json.write(output.get(), scores);
    }
    common.print(scores, () -> text(scores));
    return 0;
  }

  private static String text(Scores scores) {
    StringBuilder out = new StringBuilder();
    out.append(Text.format("%-28s %7s %10s %10s %10s%n", "layer", "filters", "min", "mean", "max"));
    scores
        .byFilter()
        .forEach(
            (layer, of) -> {
              double min = Double.MAX_VALUE;
              double max = -Double.MAX_VALUE;
              double sum = 0;
              for (float v : of) {
                min = Math.min(min, v);
                max = Math.max(max, v);
                sum += v;
              }
              out.append(
                  Text.format(
                      "%-28s %7d %10.4g %10.4g %10.4g%n",
                      layer, of.length, min, sum / of.length, max));
            });
    return out.toString();
  }
}
