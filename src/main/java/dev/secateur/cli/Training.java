package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What train and finetune share: train, save, measure on the test split, print. */
final class Training {
  private Training() {}

  static void run(
      Common common,
      Model model,
      DataOptions data,
      Dataset train,
      TrainingOptions options,
      Path output)
      throws IOException {
    Dataset test = data.open(Split.TEST, model.graph(), common);
    List<EpochMetrics> epochs;
    Evaluation e;
    try (Device device = common.openDevice();
        Network net = new Network(device, model)) {
      epochs = Trainer.train(net, train, options, common.progress());
      Models.save(net.toModel().with("made by", common.commandTyped()), output);
      e = Evaluator.evaluate(net, test, data.batchSize(), common.progress());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.toString());
    json.put("epochs", epochs);
    json.put("test", EvalCommand.json(e));
    common.print(
        json,
        () -> {
          StringBuilder out = new StringBuilder();
          out.append(
              Text.format("%5s %10s %9s %8s %9s%n", "epoch", "loss", "top-1 %", "lr", "images/s"));
          for (EpochMetrics m : epochs) {
            out.append(
                Text.format(
                    "%5d %10.4f %9.2f %8.5f %9.0f%n",
                    m.epoch(), m.loss(), m.top1(), m.learningRate(), m.imagesPerSecond()));
          }
          return out + "test: " + EvalCommand.text(e) + "\nwritten to " + output;
        });
  }
}
