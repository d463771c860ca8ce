package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.Verification;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "eval",
    description = {
      "Measures accuracy, loss and images per second; of pairs how well the network's output,",
      "taken as an embedding, tells the same from different: accuracy, threshold and ROC AUC."
    },
    customSynopsis = "secateur eval MODEL --data KIND:DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur eval resnet20.sct --data cifar10:DIR",
      "  secateur eval net.onnx --mean 0.5 --std 0.25 --data folder:DIR",
      "  secateur eval run/model.sct --data cifar10:DIR --split train --json",
      "  secateur eval faces.onnx --data lfw:DIR --distance euclidean"
    })
final class EvalCommand extends BaseCommand.OnDevice {
  private static final Verification.Distance DEFAULT = Verification.Distance.COSINE;

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

    @Option(
        names = "--distance",
        paramLabel = "cosine|euclidean",
        description = "of pairs: what tells how near two outputs are; default cosine")
    private Verification.Distance distance;
  }

  @Override
  public Integer call() throws IOException {
    Model m = model.open(this::warn);
    Dataset images = data.open(which.split, m.graph(), this::warn);
    if (which.distance != null && !images.paired()) {
      throw new ParameterException(
          spec.commandLine(), "--distance: " + data.spec() + " has classes, not pairs of images");
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.file().toString());
    json.put("data", data.spec());
    int batch = recipe().scoring().batchSize();
    String text;
    try (Device opened = openDevice();
        Network net = new Network(opened, m)) {
      if (images.paired()) {
        Verification.Distance by = which.distance == null ? DEFAULT : which.distance;
        Verification v = Verification.of(net, images, batch, by, progress());
        json.putAll(json(v));
        text = text(v);
      } else {
        Evaluation e = Evaluator.evaluate(net, images, batch, progress());
        json.putAll(json(e));
        text = text(e);
        if (byChance(e, images.classNames().size())) {
          warn(
              "no better than chance: does the network expect other numbers of a pixel (--mean and"
                  + " --std, or --input), or other classes?");
        }
      }
    }
    print(json, () -> text);
    return 0;
  }

  /** Whether an accuracy is within three deviations of guessing. */
  private static boolean byChance(Evaluation e, int classes) {
    double guess = 1.0 / Math.max(1, classes);
    double deviation = Math.sqrt(guess * (1 - guess) / Math.max(1, e.images()));
    return classes > 1 && e.images() >= 100 && e.top1() / 100 < guess + 3 * deviation;
  }

  private static Map<String, Object> json(Verification v) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("accuracy", v.accuracy());
    json.put("distance", v.distance().toString());
    json.put("threshold", v.threshold());
    json.put("auc", v.auc());
    json.put("pairs", v.pairs());
    json.put("imagesPerSecond", v.imagesPerSecond());
    return json;
  }

  private static String text(Verification v) {
    return Numbers.format(
        "accuracy %.2f %% with %s %.4f, ROC AUC %.4f, %d pairs, %.0f images/s",
        v.accuracy(),
        v.distance() == Verification.Distance.COSINE
            ? "cosine similarity of at least"
            : "Euclidean distance of at most",
        v.threshold(),
        v.auc(),
        v.pairs(),
        v.imagesPerSecond());
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
