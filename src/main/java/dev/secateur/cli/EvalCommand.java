package dev.secateur.cli;

import dev.secateur.bench.WholeEvaluation;
import dev.secateur.bench.WholeNetwork;
import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.data.MaskedImages;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Imitation;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.Verification;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "eval",
    description = {
      "Measures accuracy, loss and images per second; of pairs how well the network's output,",
      "taken as an embedding, tells the same from different: accuracy, threshold and ROC AUC;",
      "of images without classes how near the network is to another one (--reference);",
      "of images with masks the accuracy of pixels and mean IoU."
    },
    customSynopsis = "secateur eval MODEL --data KIND:DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur eval resnet20.sct --data cifar10:DIR",
      "  secateur eval net.onnx --mean 0.5 --std 0.25 --data folder:DIR",
      "  secateur eval run/model.sct --data cifar10:DIR --split train --json",
      "  secateur eval faces.onnx --data lfw:DIR --distance euclidean",
      "  secateur eval run/model.sct --data images:DIR --reference detector.onnx",
      "  secateur eval segmenter.onnx --data masks:DIR"
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

    @Option(
        names = "--reference",
        paramLabel = "MODEL",
        description = {
          "of images without classes: the network to compare with, such as the unpruned one; by",
          "the class that it says, or where outputs are no classes by 1 - |x - r|² / |r|²"
        })
    private Path reference;
  }

  @Override
  public Integer call() throws IOException {
    Model m = model.open(this::warn);
    Dataset labelled = data.openLabelled(which.split, m.graph(), this::warn);
    boolean other = Models.carries(m) || Imitation.only(m.graph());
    boolean classes = labelled.labels() == Labels.CLASSES && other;
    if (which.reference == null && (classes || labelled instanceof MaskedImages)) {
      return whole(m, labelled);
    }
    Dataset images = DataOptions.fitting(labelled, m.graph());
    if (which.distance != null && !images.paired()) {
      throw new ParameterException(
          spec.commandLine(), "--distance: " + data.spec() + " has classes, not pairs of images");
    }
    boolean unknown = images.labels() == Labels.NONE;
    if (unknown != (which.reference != null)) {
      throw new ParameterException(
          spec.commandLine(),
          unknown
              ? "--reference: "
                  + data.spec()
                  + " has no classes for this network; expected a model"
                  + " to compare it with"
              : "--reference: " + data.spec() + " says itself what is right");
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
      } else if (unknown) {
        try (Network reference =
            new Network(opened, ModelFiles.open(which.reference, this::warn))) {
          Dataset known = labelled(reference, which.reference.toString(), images);
          Evaluation e = Evaluator.evaluate(net, Optional.of(reference), known, batch, progress());
          json.put("reference", which.reference.toString());
          json.put("measure", measure);
          json.putAll(json(e));
          text = text(e, measure);
        }
      } else {
        Evaluation e = Evaluator.evaluate(net, images, batch, progress());
        json.putAll(json(e));
        text = text(e, measure);
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

  /** By outputs that the layers alone do not give. */
  private int whole(Model m, Dataset images) throws IOException {
    note("the whole network, with what is carried along, runs in ONNX Runtime on the CPU");
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.file().toString());
    json.put("data", data.spec());
    json.put("engine", "onnxruntime");
    int batch = Math.min(WholeNetwork.BATCH, recipe().scoring().batchSize());
    String text;
    try (WholeNetwork net = new WholeNetwork(m, batch)) {
      if (images instanceof MaskedImages masked) {
        WholeEvaluation.Segmentation s = WholeEvaluation.masks(net, masked, progress());
        json.put("pixelAccuracy", s.pixelAccuracy());
        json.put("meanIou", s.meanIou());
        json.put("iou", s.iou());
        json.put("images", s.images());
        json.put("imagesPerSecond", s.imagesPerSecond());
        text =
            Numbers.format(
                "pixel accuracy %.2f %%, mean IoU %.2f %%, %d images, %.0f images/s",
                s.pixelAccuracy(), s.meanIou(), s.images(), s.imagesPerSecond());
      } else {
        Evaluation e = WholeEvaluation.classes(net, images, progress());
        json.putAll(json(e));
        text = text(e, measure);
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

  /**
   * @param measure what accuracy is called; only of classes there is a top-5
   */
  static String text(Evaluation e, String measure) {
    boolean five = !measure.equals(Labels.NONE.measure()) && !Double.isNaN(e.top5());
    return Numbers.format("%s %.2f %%", measure, e.top1())
        + (five ? Numbers.format(", top-5 %.2f %%", e.top5()) : "")
        + (Double.isNaN(e.loss()) ? "" : Numbers.format(", loss %.4f", e.loss()))
        + Numbers.format(", %d images, %.0f images/s", e.images(), e.imagesPerSecond());
  }
}
