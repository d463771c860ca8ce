package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Images;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.util.Json;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.DoubleSummaryStatistics;
import java.util.stream.IntStream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "score",
    description = {
      "Says how much every prunable filter matters, by the images that the first iteration of",
      "prune would score on."
    },
    customSynopsis = "secateur score MODEL --data KIND:DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur score resnet20.sct --data cifar10:DIR",
      "  secateur score net.onnx --data folder:DIR --criterion taylor --scope all -o scores.json",
      "  secateur score resnet20.sct --data cifar10:DIR --features activation --pool avg --json"
    })
final class ScoreCommand extends BaseCommand.OnDevice {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 2)
  private DataOptions data;

  @ArgGroup(validate = false, heading = RecipeOptions.HEADING, order = 3)
  private RecipeOptions recipe = new RecipeOptions();

  @ArgGroup(validate = false, heading = ScoringOptions.HEADING, order = 4)
  private ScoringOptions.Seeded scoring;

  @ArgGroup(validate = false, heading = ScopeOptions.HEADING, order = 5)
  private ScopeOptions scope;

  @ArgGroup(validate = false, heading = OUTPUT, order = 90)
  private Output output = new Output();

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        paramLabel = "FILE",
        description = "also write it as JSON: the criterion, then by layer a number a filter")
    private Path file;
  }

  @Override
  public Integer call() throws IOException {
    Recipe r = recipe(recipe.base());
    Model m = model.open(this::warn);
    Dataset train = data.open(Split.TRAIN, m.graph(), this::warn);
    Pruner.Scores scores;
    try (Device opened = openDevice();
        Network net = new Network(opened, m)) {
      scores =
          new Pruner(r, Images.of(labelled(net, "the network", train), r), progress()).score(net);
    }
    Importance importance = scores.importance();
    if (output.file != null) {
      Json.write(output.file, importance);
    }
    int dead = scores.dead().removal().size();
    print(
        importance,
        () ->
            text(importance)
                + (dead == 0 ? "" : "\n" + dead + " of them are dead: the network can do without"));
    return 0;
  }

  private static String text(Importance importance) {
    Table table = new Table("layer", "filters", "min", "mean", "max");
    importance
        .byFilter()
        .forEach(
            (layer, of) -> {
              DoubleSummaryStatistics s =
                  IntStream.range(0, of.length).mapToDouble(i -> of[i]).summaryStatistics();
              table.row(
                  layer, of.length, number(s.getMin()), number(s.getAverage()), number(s.getMax()));
            });
    return table.text();
  }

  private static String number(double v) {
    return Numbers.format("%.4g", v);
  }
}
