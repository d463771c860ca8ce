package dev.secateur.cli;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.nn.Graph;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where the images are. */
final class DataOptions {
  @Option(
      names = "--data",
      required = true,
      paramLabel = "KIND:DIR",
      description = {
        "cifar10:DIR (binary version), fashion-mnist:DIR or idx:DIR; plain, .gz or .xz;",
        "folder:DIR[?size=S&resize=R&channels=1|3]: DIR/train|test|val/CLASS/*.jpg, .jpeg, .png"
      })
  private String data;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      converter = Converters.Count.class,
      description = "images at once; default ${DEFAULT-VALUE}")
  private int batchSize;

  @Option(
      names = "--strict",
      description = "fail at the first image that cannot be read, instead of leaving it out")
  private boolean strict;

  String spec() {
    return data;
  }

  int batchSize() {
    return batchSize;
  }

  /** Opened for a network that is still to be made. */
  Dataset open(Split split, Common common) throws IOException {
    return DataSets.open(data, split, Optional.empty(), unreadable(common));
  }

  /** Opened at the network's input size where the data leaves it open. */
  Dataset open(Split split, Graph graph, Common common) throws IOException {
    return DataSets.open(data, split, Optional.of(imageShape(graph)), unreadable(common));
  }

  /** The images that a network takes, (C,H,W). */
  static Shape imageShape(Graph graph) {
    Shape in = graph.shape(graph.input().name());
    return Shape.of(in.dim(1), in.dim(2), in.dim(3));
  }

  private Unreadable unreadable(Common common) {
    return new Unreadable(strict, common::warn);
  }
}
