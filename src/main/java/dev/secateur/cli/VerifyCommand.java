package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.bench.OnnxOutputs;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxExportOptions;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Removal;
import dev.secateur.prune.ResidualBlocks;
import dev.secateur.prune.SurgeryProof;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Folders;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "verify",
    description = {
      "Compares two networks: whether the second is the first without some filters, and what both",
      "compute, here and in ONNX Runtime. Exit code 1 where the outputs differ."
    },
    customSynopsis = "secateur verify ORIGINAL OTHER [OPTIONS]",
    footer = {
      "%nThe second network is held against the first with its removed filters set to zero, where it"
          + " is%nthat, bit for bit; else (after fine-tuning, say) against the first as it is.",
      "%nExamples:",
      "  secateur verify net.onnx run/model.onnx",
      "  secateur verify resnet20.sct resnet20.onnx --tolerance 1e-4",
      "  secateur verify net.onnx run/model.sct --images 16 --json"
    })
final class VerifyCommand extends BaseCommand.OnDevice {
  @Parameters(index = "0", paramLabel = "ORIGINAL", description = "model file of any kind")
  private Path original;

  @Parameters(index = "1", paramLabel = "OTHER", description = "model file of any kind")
  private Path other;

  @ArgGroup(validate = false, heading = "%nReading:%n", order = 1)
  private OnnxArguments onnx = new OnnxArguments();

  @ArgGroup(validate = false, heading = "%nComparing:%n", order = 2)
  private Comparing comparing = new Comparing();

  private static final class Comparing {
    @Option(
        names = "--tolerance",
        paramLabel = "T",
        converter = Converters.PositiveReal.class,
        description =
            "of the largest difference, divided by the output's largest value; default 1e-5")
    private float tolerance = 1e-5f;

    @Option(
        names = "--images",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "of noise; default 4")
    private int images = 4;
  }

  /** In all outputs in ONNX Runtime; of boxes there may be none. */
  private long numbers;

  @Override
  public Integer call() throws IOException {
    Model a = onnx.open(original, this::warn);
    Model b = onnx.open(other, this::warn);
    Shape image = DataOptions.imageShape(a.graph());
    if (!image.equals(DataOptions.imageShape(b.graph()))) {
      throw new SecateurException(
          other
              + " takes images of "
              + DataOptions.imageShape(b.graph())
              + ", "
              + original
              + " of "
              + image);
    }
    Optional<Removal> removal = Optional.empty();
    String why = "";
    try {
      removal = Optional.of(SurgeryProof.removed(a, b));
    } catch (SecateurException e) {
      why = e.getMessage();
    }
    Model expected = removal.map(r -> SurgeryProof.zeroed(a, r)).orElse(a);
    double ours = here(expected, b);
    double theirs = inOnnxRuntime(expected, b, image);
    if (numbers == 0) {
      warn("the outputs hold no number for these images, so that nothing was compared");
    }
    int blocks = removal.map(r -> ResidualBlocks.in(a.graph(), r).size()).orElse(0);
    int filters = removal.map(Removal::size).orElse(0) - blocks;
    boolean same = !(ours > comparing.tolerance) && theirs <= comparing.tolerance;
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("isTheOriginalWithoutFilters", removal.isPresent());
    json.put("filtersRemoved", filters);
    json.put("blocksRemoved", blocks);
    json.put("reason", why);
    if (!Double.isNaN(ours)) {
      json.put("difference", ours);
    }
    json.put("differenceInOnnxRuntime", theirs);
    json.put("numbers", numbers);
    json.put("same", same);
    String relation =
        removal.isEmpty()
            ? other + " is not " + original + " without filters: " + why
            : other
                + " is "
                + original
                + (filters + blocks == 0 ? "" : " without " + gone(filters, blocks))
                + ", bit for bit";
    print(
        json,
        () ->
            relation
                + Numbers.format(
                    "\noutputs differ by %s%.1e in ONNX Runtime from %s%s: %s",
                    Double.isNaN(ours) ? "" : Numbers.format("%.1e here and by ", ours),
                    theirs,
                    original,
                    filters == 0 ? "" : " with these set to zero",
                    same ? "the same" : "not the same"));
    return same ? 0 : 1;
  }

  private static String gone(int filters, int blocks) {
    String some = filters == 0 && blocks > 0 ? "" : filters + " filters";
    String whole = blocks == 0 ? "" : blocks + " residual blocks";
    return some + (some.isEmpty() || whole.isEmpty() ? "" : " and ") + whole;
  }

  /** NaN: they do not run here. */
  private double here(Model a, Model b) {
    if (a.graph().opaque()) {
      return Double.NaN;
    }
    try (Device device = openDevice()) {
      return OnnxOutputs.difference(List.of(outputs(device, b)), List.of(outputs(device, a)));
    }
  }

  private double[] outputs(Device device, Model model) {
    try (Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, comparing.images, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      byte[] noise = new byte[(int) p.pixels().bytes()];
      new SplittableRandom(1).nextBytes(noise);
      host.bytes().put(0, noise);
      device.upload(host, p.pixels());
      p.run();
      float[] got = device.downloadFloats(p.output());
      double[] out = new double[got.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = got[i];
      }
      return out;
    }
  }

  private double inOnnxRuntime(Model a, Model b, Shape image) throws IOException {
    Path folder = Files.createTempDirectory("secateur-verify");
    try {
      List<double[]> expected = outputs(a, folder.resolve("a.onnx"), image);
      numbers = expected.stream().mapToLong(o -> o.length).sum();
      return OnnxOutputs.difference(outputs(b, folder.resolve("b.onnx"), image), expected);
    } finally {
      Folders.delete(folder);
    }
  }

  private List<double[]> outputs(Model model, Path file, Shape image) {
    Models.exportOnnx(model, file, OnnxExportOptions.DEFAULT);
    return OnnxOutputs.of(file, comparing.images, image.size(1), image.size(2));
  }
}
