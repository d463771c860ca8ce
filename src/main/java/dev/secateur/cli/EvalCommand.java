package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "eval",
    description = "Measures accuracy, loss and images per second.",
    customSynopsis = "secateur eval MODEL --data KIND:DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur eval resnet20.sct --data cifar10:DIR",
      "  secateur eval net.onnx --mean 0.5 --std 0.25 --data folder:DIR",
      "  secateur eval run/model.sct --data cifar10:DIR --split train --json"
    })
final class EvalCommand extends BaseCommand.OnDevice {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 2)
  private DataOptions data;

  @ArgGroup(validate = false, heading = "", order = 3)
  private Which which = new Which();

  private static final class Which {
    @Option(
        names = "--split",
        paramLabel = "test|train",
        description = "which images; default test")
    private Split split = Split.TEST;
  }

  @Override
  public Integer call() throws IOException {
    Model m = model.open(this::warn);
    Dataset images = data.open(which.split, m.graph(), this::warn);
    Evaluation e;
    try (Device opened = openDevice();
        Network net = new Network(opened, m)) {
      e = Evaluator.evaluate(net, images, recipe().scoring().batchSize(), progress());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.file().toString());
    json.put("data", data.spec());
    json.putAll(json(e));
    print(json, () -> text(e));
    return 0;
  }

  static Map<String, Object> json(Evaluation e) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("top1", e.top1());
    json.put("top5", e.top5());
    json.put("loss", e.loss());
    json.put("images", e.images());
    json.put("imagesPerSecond", e.imagesPerSecond());
    return json;
  }

  static String text(Evaluation e) {
    return Numbers.format(
        "top-1 %.2f %%, top-5 %.2f %%, loss %.4f, %d images, %.0f images/s",
        e.top1(), e.top5(), e.loss(), e.images(), e.imagesPerSecond());
  }
}
