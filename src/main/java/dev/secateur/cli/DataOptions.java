package dev.secateur.cli;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.data.Split;
import dev.secateur.data.Unlabelled;
import dev.secateur.data.Unreadable;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Imitation;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** Where the images are. */
final class DataOptions {
  static final String HEADING = "%nData:%n";

  @Option(
      names = "--data",
      required = true,
      paramLabel = "KIND:DIR",
      description = {
        "cifar10:DIR (binary version), fashion-mnist:DIR or idx:DIR; plain, .gz or .xz;",
        "folder:DIR[?size=S&resize=R&channels=1|3&cache=FOLDER&classes=FILE]: .jpg, .jpeg, .png in",
        "DIR/train|test|val/CLASS, decoded once where they are kept in FOLDER; FILE: a class a line;",
        "tar:FILE.tar, tar:train-{000..146}.tar or tar:DIR (train|test|val in the names) with folder's",
        "options: archives with KEY.jpg and KEY.cls, or CLASS/NAME.jpg;",
        "images:DIR with folder's options: .jpg, .jpeg, .png anywhere below, without classes;",
        "masks:DIR: the same in DIR/images, and DIR/masks/NAME.png with a class a pixel;",
        "pairs:FILE.csv (image,image,same|different), pairs:DIR (train.csv, test.csv) or lfw:DIR",
        "(pairs.txt), with folder's options: pairs of images, for networks that verify"
      })
  @Sets("data")
  private String data;

  @Option(names = "--batch-size", paramLabel = "N", description = "images at once")
  @Sets({"scoring.batch-size", "fine-tuning.batch-size"})
  private String batchSize;

  @Option(
      names = "--strict",
      description = "fail at the first image that cannot be read, instead of leaving it out")
  private boolean strict;

  String spec() {
    return data;
  }

  /** Opened for a network that is still to be made. */
  Dataset open(Split split, Consumer<String> warn) throws IOException {
    return DataSets.open(data, split, Optional.empty(), new Unreadable(strict, warn));
  }

  /**
   * Opened at the network's input size where the data leaves it open. For a network whose outputs
   * are no classes images are without labels.
   */
  Dataset open(Split split, Graph graph, Consumer<String> warn) throws IOException {
    return fitting(openLabelled(split, graph, warn), graph);
  }

  /** Images as a network can take them: without labels where its outputs are no classes. */
  static Dataset fitting(Dataset images, Graph graph) {
    return Imitation.only(graph) && images.labels() != Labels.NONE
        ? new Unlabelled(images)
        : images;
  }

  /** The same with the labels that there are, whatever the network's outputs. */
  Dataset openLabelled(Split split, Graph graph, Consumer<String> warn) throws IOException {
    return DataSets.open(data, split, Optional.of(imageShape(graph)), new Unreadable(strict, warn));
  }

  /** The images that a network takes, (C,H,W). */
  static Shape imageShape(Graph graph) {
    Shape in = graph.shape(graph.input().name());
    return Shape.of(in.dim(1), in.dim(2), in.dim(3));
  }
}
