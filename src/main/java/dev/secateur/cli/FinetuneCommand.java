package dev.secateur.cli;

import dev.secateur.data.Split;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "finetune", description = "Goes on training a model.")
final class FinetuneCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private DataOptions data;
  @Mixin private LearningOptions learning;

  @Option(
      names = "--epochs",
      required = true,
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "passes over the training images")
  private int epochs;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "the trained model (.sct)")
  private Path output;

  @Override
  public Integer call() throws IOException {
    Model m = model.open(common);
    Training.run(
        common,
        m,
        data,
        data.open(Split.TRAIN, m.graph(), common),
        learning.options(epochs, 0.01, data.batchSize(), common.seed()),
        output);
    return 0;
  }
}
