package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "eval", description = "Measures accuracy, loss and images per second.")
final class EvalCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private DataOptions data;

  @Option(
      names = "--split",
      paramLabel = "SPLIT",
      defaultValue = "TEST",
      description = "test or train; default test")
  private Split split;

  @Override
  public Integer call() throws IOException {
    Model m = model.open(common);
    Dataset images = data.open(split, m.graph(), common);
    Evaluation e;
    try (Device device = common.openDevice();
        Network net = new Network(device, m)) {
      e = Evaluator.evaluate(net, images, data.batchSize(), common.progress());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.file().toString());
    json.put("data", data.spec());
    json.putAll(json(e));
    common.print(json, () -> text(e));
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
    return Text.format(
        "top-1 %.2f %%, top-5 %.2f %%, loss %.4f, %d images, %.0f images/s",
        e.top1(), e.top5(), e.loss(), e.images(), e.imagesPerSecond());
  }
}
