package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.nn.Model;
import dev.secateur.prune.Recipe;
import dev.secateur.util.Checksums;
import java.io.IOException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;

@Command(
    name = "finetune",
    description = "Goes on training a model.",
    customSynopsis = "secateur finetune MODEL --data KIND:DIR --epochs N -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur finetune run/model.sct --data cifar10:DIR --epochs 20 -o tuned.sct",
      "  secateur finetune m.sct --data cifar10:DIR --epochs 40 --lr 0.02 --nesterov -o tuned.sct",
      "  secateur finetune m.onnx --data folder:DIR --epochs 2 -o tuned.sct --device cuda --math fp16"
    })
final class FinetuneCommand extends Training {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @Override
  public Integer call() throws IOException {
    Recipe recipe = recipe();
    Model m = model.open(this::warn);
    Dataset images = data.open(Split.TRAIN, m.graph(), this::warn);
    return train(m, images, recipe, model.file().toString(), Checksums.crc32(model.file()));
  }
}
