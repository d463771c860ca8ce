package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Recipe;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.Trainer;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** What train and finetune share: train, save, measure on the test split, print. */
abstract class Training extends BaseCommand.OnDevice {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 2)
  DataOptions data;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = FineTuningOptions.HEADING, order = 3)
  private FineTuningOptions.Once learning;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "FILE",
        description = "the trained model (.sct)")
    private Path file;
  }

  /** Trains by the recipe's fine-tuning. */
  int train(Model model, Dataset train, Recipe recipe) throws IOException {
    Dataset test = data.open(Split.TEST, model.graph(), this::warn);
    List<EpochMetrics> epochs;
    Evaluation e;
    try (Device opened = openDevice();
        Network net = new Network(opened, model)) {
      epochs = Trainer.train(net, train, recipe.fineTuning().options(recipe.seed()), progress());
      Models.save(net.toModel().with("made by", commandTyped()), output.file);
      e = Evaluator.evaluate(net, test, recipe.scoring().batchSize(), progress());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.file.toString());
    json.put("epochs", epochs);
    json.put("test", EvalCommand.json(e));
    print(
        json, () -> text(epochs) + "test: " + EvalCommand.text(e) + "\nwritten to " + output.file);
    return 0;
  }

  private static String text(List<EpochMetrics> epochs) {
    Table table = new Table("epoch", "loss", "top-1 %", "lr", "images/s");
    for (EpochMetrics m : epochs) {
      table.row(
          m.epoch(),
          Numbers.format("%.4f", m.loss()),
          Numbers.format("%.2f", m.top1()),
          Numbers.format("%.5f", m.learningRate()),
          Numbers.format("%.0f", m.imagesPerSecond()));
    }
    return table.text();
  }
}
