package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "train", description = "Trains an architecture from scratch.")
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common common;
  @Mixin private DataOptions data;
  @Mixin private LearningOptions learning;

  @Parameters(index = "0", paramLabel = "ARCHITECTURE", description = "such as resnet20")
  private String architecture;

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
    if (!Architectures.names().contains(architecture)) {
      throw new ParameterException(
          spec.commandLine(),
          "unknown architecture "
              + architecture
              + "; expected one of "
              + String.join(", ", Architectures.names()));
    }
    Dataset d = data.open(Split.TRAIN, common);
    Model fresh =
        Architectures.create(
            architecture, d.classNames().size(), d.channels(), d.height(), common.seed());
    Training.run(
        common,
        fresh,
        data,
        d,
        learning.options(epochs, 0.1, data.batchSize(), common.seed()),
        output);
    return 0;
  }
}
