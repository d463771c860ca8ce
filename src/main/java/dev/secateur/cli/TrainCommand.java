package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import dev.secateur.prune.Recipe;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "train",
    description = "Trains an architecture from scratch.",
    customSynopsis = "secateur train ARCHITECTURE --data KIND:DIR --epochs N -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur train resnet20 --data cifar10:DIR --epochs 160 --schedule step -o resnet20.sct",
      "  secateur train vgg16_bn_cifar --data cifar10:DIR --epochs 100 --lr 0.05 -o vgg16.sct",
      "  secateur train resnet8 --data fashion-mnist:DIR --epochs 5 -o small.sct --device cuda"
    })
final class TrainCommand extends Training {
  /** From scratch weights move further than in fine-tuning. */
  private static final Recipe BASE = Recipe.DEFAULT.with("fine-tuning.lr", 0.1);

  @Parameters(index = "0", paramLabel = "ARCHITECTURE", description = "such as resnet20")
  private String architecture;

  @Override
  Recipe base() {
    return BASE;
  }

  @Override
  public Integer call() throws IOException {
    requireArchitecture(architecture);
    Recipe recipe = recipe();
    Dataset d = data.open(Split.TRAIN, this::warn);
    Model fresh =
        Architectures.create(
            architecture, d.classNames().size(), d.channels(), d.height(), recipe.seed());
    return train(fresh, d, recipe, architecture, 0);
  }
}
