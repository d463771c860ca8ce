package dev.secateur.cli;

import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.prune.RandomPruning;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "create",
    description =
        "Writes an architecture with random weights, whole or pruned at random: to be timed.",
    customSynopsis = "secateur create ARCHITECTURE -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur create resnet50 -o resnet50.sct",
      "  secateur create resnet50 --pruning-ratio 0.3 -o pruned.sct",
      "  secateur create vgg16_bn --image-size 64 --classes 10 -o small.sct"
    })
final class CreateCommand extends BaseCommand {
  private static final int CIFAR_CLASSES = 10;
  private static final int IMAGENET_CLASSES = 1000;

  @Parameters(index = "0", paramLabel = "ARCHITECTURE", description = "such as resnet50")
  private String architecture;

  @ArgGroup(validate = false, heading = "%nNetwork:%n", order = 1)
  private Size size = new Size();

  private static final class Size {
    @Option(
        names = "--classes",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "default 10 of a CIFAR network, 1000 of others")
    private Integer classes;

    @Option(
        names = "--image-size",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "height and width; default 32 of a CIFAR network, 224 of others")
    private Integer images;

    @Option(
        names = "--channels",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "of images; default 3")
    private int channels = 3;

    @Option(
        names = "--pruning-ratio",
        paramLabel = "R",
        converter = Converters.OpenFraction.class,
        description = {
          "part of the prunable filters that are removed, drawn at random over all layers;",
          "default none"
        })
    private Double ratio;

    @Option(
        names = "--seed",
        paramLabel = "N",
        converter = Converters.LongWholeNumber.class,
        description = "of weights and removed filters; default 1")
    private long seed = 1;
  }

  @ArgGroup(exclusive = false, multiplicity = "1", heading = BaseCommand.OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "FILE",
        converter = Converters.FilePath.class,
        description = "the native model file (.sct)")
    private Path file;
  }

  @Override
  public Integer call() throws IOException {
    requireArchitecture(architecture);
    int usual = Architectures.usualSize(architecture);
    int side = size.images == null ? usual : size.images;
    int classes =
        size.classes == null
            ? usual == Architectures.usualSize("resnet20") ? CIFAR_CLASSES : IMAGENET_CLASSES
            : size.classes;
    Model m = Architectures.create(architecture, classes, size.channels, side, size.seed);
    if (size.ratio != null) {
      m = RandomPruning.remove(m, size.ratio, size.seed);
    }
    Models.save(m, output.file);
    Cost cost = Cost.of(m.graph());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.file.toString());
    json.put("parameters", cost.parameters());
    json.put("macs", cost.macs());
    print(
        json,
        () ->
            Numbers.format(
                "%s parameters, %s MACs, random weights, written to %s",
                Numbers.count(cost.parameters()), Numbers.count(cost.macs()), output.file));
    return 0;
  }
}
