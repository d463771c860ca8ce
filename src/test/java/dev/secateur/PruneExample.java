package dev.secateur;

import dev.secateur.data.DataSets;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.io.Models;
import dev.secateur.nn.Network;
import dev.secateur.prune.Images;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.Recipe;
import dev.secateur.train.ProgressListener;
import java.nio.file.Path;

/** Loads a network, scores its filters, prunes, fine-tunes and exports it. */
public final class PruneExample {
  /** Takes a model, data such as cifar10:DIR, and the ONNX file to write. */
  public static void main(String[] args) throws Exception {
    Recipe recipe = Recipe.DEFAULT.with("choice.pruning-ratio", 0.3).with("fine-tuning.lr", 0.02);
    Images images = Images.of(DataSets.open(args[1], Split.TRAIN), recipe);
    Pruner pruner = new Pruner(recipe, images, ProgressListener.none());
    try (Device device = Devices.open("auto");
        Network net = new Network(device, Models.load(Path.of(args[0])))) {
      System.out.println(pruner.score(net).importance().byFilter().keySet());
      Pruner.Step step = pruner.step(net); // score, select, remove, evaluate, fine-tune, evaluate
      System.out.println(step.removal() + ": " + step.cut().top1() + ", " + step.tuned().top1());
      Models.exportOnnx(step.network().toModel(), Path.of(args[2]));
      step.network().close();
    }
  }
}
