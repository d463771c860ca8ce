package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.MeanImage;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "import",
    description = "Writes an ONNX, PyTorch, Keras or safetensors file as a native model file.",
    customSynopsis = "secateur import MODEL -o FILE [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur import resnet20-12fca82f.th --arch resnet20 -o resnet20.sct",
      "  secateur import net.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 -o net.sct",
      "  secateur import keras.json --mean-image cifar10:DIR -o keras.sct"
    })
final class ImportCommand extends BaseCommand {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = BaseCommand.OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "FILE",
        description = "the native model file (.sct)")
    private Path file;
  }

  @ArgGroup(validate = false, heading = "", order = 2)
  private Mean mean = new Mean();

  private static final class Mean {
    @Option(
        names = "--mean-image",
        paramLabel = "KIND:DIR",
        description = {
          "what the network reads is pixel / 255 minus the mean, pixel by pixel,",
          "of these training images (see eval --help for the kinds)"
        })
    private String image;
  }

  @Override
  public Integer call() throws IOException {
    Model m = model.open(this::warn);
    if (mean.image != null) {
      m = centred(m, mean.image);
    }
    Models.save(m, output.file);
    long parameters = Cost.of(m.graph()).parameters();
    print(
        Map.of("output", output.file.toString(), "parameters", parameters),
        () ->
            Numbers.format("%s parameters, written to %s", Numbers.count(parameters), output.file));
    return 0;
  }

  private Model centred(Model m, String data) throws IOException {
    Shape image = DataOptions.imageShape(m.graph());
    Dataset images =
        DataSets.open(data, Split.TRAIN, Optional.of(image), new Unreadable(false, this::warn));
    Shape found = Shape.of(images.channels(), images.height(), images.width());
    if (!found.equals(image)) {
      throw new SecateurException(
          "--mean-image " + data + ": images are " + found + ", the network takes " + image);
    }
    float[] std = new float[Math.toIntExact(image.elements())];
    Arrays.fill(std, 255);
    Map<String, HostTensor> parameters = new LinkedHashMap<>(m.parameters());
    String input = m.graph().input().name();
    parameters.put(input + ".mean", new HostTensor(image, MeanImage.of(images)));
    parameters.put(input + ".std", new HostTensor(image, std));
    return new Model(m.graph(), parameters, m.metadata());
  }
}
