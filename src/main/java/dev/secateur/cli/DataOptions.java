package dev.secateur.cli;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import java.io.IOException;
import picocli.CommandLine.Option;

/** Where the images are. */
final class DataOptions {
  @Option(
      names = "--data",
      required = true,
      paramLabel = "KIND:DIR",
      description = "cifar10:DIR (binary version), fashion-mnist:DIR or idx:DIR; plain, .gz or .xz")
  private String data;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      converter = Converters.Count.class,
      description = "images at once; default ${DEFAULT-VALUE}")
  private int batchSize;

  String spec() {
    return data;
  }

  int batchSize() {
    return batchSize;
  }

  Dataset open(Split split) throws IOException {
    return DataSets.open(data, split);
  }
}
