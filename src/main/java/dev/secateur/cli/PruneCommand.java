package dev.secateur.cli;

import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.prune.Scores;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
    name = "prune",
    description = "Removes the filters of lowest VIP over all layers: one step, no fine-tuning.")
final class PruneCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScoringOptions scoring;

  @Option(
      names = "--rate",
      required = true,
      paramLabel = "R",
      description = "part of the prunable filters to remove, between 0 and 1")
  private double rate;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "the pruned model (.sct)")
  private Path output;

  @Override
  public Integer call() throws IOException {
    if (!(rate > 0 && rate < 1)) {
      throw new ParameterException(
          spec.commandLine(), "--rate " + rate + ": expected a number between 0 and 1");
    }
    Model before = model.open();
    Model after;
    Map<String, int[]> removed;
    try (Device device = common.openDevice();
        Network net = new Network(device, before)) {
      Scores scores = scoring.score(net, common);
      removed = Selection.lowest(scores, rate);
      after = Surgery.remove(device, before, removed);
    }
    Models.save(after, output);
    int filters = removed.values().stream().mapToInt(r -> r.length).sum();
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.toString());
    json.put("removedFilters", filters);
    json.put("parametersBefore", parameters(before));
    json.put("parametersAfter", parameters(after));
    json.put("removed", removed);
    common.print(
        json,
        () ->
            Text.format(
                "%d filters removed, parameters %d -> %d (%s), written to %s",
                filters,
                parameters(before),
                parameters(after),
                Text.change(parameters(before), parameters(after)),
                output));
    return 0;
  }

  private static long parameters(Model m) {
    return m.parameters().entrySet().stream()
        .filter(e -> ParameterShapes.trainable(e.getKey()))
        .mapToLong(e -> e.getValue().data().length)
        .sum();
  }
}
