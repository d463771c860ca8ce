package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnxruntime.OrtException;
import dev.secateur.SecateurException;
import dev.secateur.bench.OnnxOutputs;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.GroupReduction;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.Zeroed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * ONNX files of any kind: each is read and written again, then pruned by the L1 norm of its filters
 * with all in scope and written again. ONNX Runtime computes all outputs of all files from the same
 * inputs: the file written again has to equal the one that was read, the pruned one that whose
 * removed filters are zero. Prints a Markdown table; see scripts/compare-onnx-files.
 */
final class OnnxCases {
  /** For networks that take any. */
  private static final OnnxOptions.Size SIZE = new OnnxOptions.Size(64, 64);

  private OnnxCases() {}

  /**
   * What came of a file.
   *
   * @param refused why it was not read; empty where it was
   * @param carried operators that are carried along
   * @param exported the largest difference of the file written again, as a part of its largest
   *     output
   * @param numbers in all outputs
   * @param pruned by the part of filters that was to go
   */
  record Outcome(
      Optional<String> refused,
      String carried,
      double exported,
      long numbers,
      Map<Double, Pruned> pruned) {}

  /**
   * A pruned network.
   *
   * @param parameters what is left of them, carried ones not counted
   * @param macs likewise
   * @param difference from the network with zeros, as a part of its largest output
   */
  record Pruned(double parameters, double macs, double difference) {}

  /** Arguments: files or folders. */
  public static void main(String[] args) throws IOException, OrtException {
    System.out.println(
        "| file | carried along | written again | pruned 20 %: parameters, MACs left | difference"
            + " | pruned 50 % | difference |");
    System.out.println("|" + " --- |".repeat(7));
    for (String arg : args) {
      for (Path file : files(Path.of(arg))) {
        System.out.println("| " + file.getFileName() + " | " + row(file) + " |");
      }
    }
  }

  static List<Path> files(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of(folder);
    }
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(f -> f.toString().endsWith(".onnx")).sorted().toList();
    }
  }

  private static String row(Path file) throws IOException, OrtException {
    Outcome o = of(file, 0.2, 0.5);
    if (o.refused().isPresent()) {
      return "refused: " + o.refused().get();
    }
    StringBuilder row = new StringBuilder(brief(o.carried()));
    if (o.numbers() == 0) {
      return row + " | its outputs hold no number for these images";
    }
    row.append(String.format(Locale.ROOT, " | %.1e", o.exported()));
    o.pruned()
        .values()
        .forEach(
            p ->
                row.append(
                    String.format(
                        Locale.ROOT,
                        " | %.1f %%, %.1f %% | %.1e",
                        100 * p.parameters(),
                        100 * p.macs(),
                        p.difference())));
    return row.toString();
  }

  /** Operators with how many there are of each, of many the most frequent. */
  private static String brief(String carried) {
    List<String> all = carried.isEmpty() ? List.of() : List.of(carried.split(", "));
    if (all.size() <= 8) {
      return carried;
    }
    List<String> most =
        all.stream()
            .sorted(Comparator.comparingInt(o -> -Integer.parseInt(o.substring(0, o.indexOf(' ')))))
            .limit(4)
            .toList();
    return String.join(", ", most) + " and " + (all.size() - most.size()) + " more operators";
  }

  static Outcome of(Path file, double... parts) throws IOException, OrtException {
    Path folder = Files.createTempDirectory("onnx-case");
    try {
      Model model;
      try {
        model = read(file);
      } catch (SecateurException e) {
        return new Outcome(Optional.of(e.getMessage()), "", 0, 0, Map.of());
      }
      Path again = folder.resolve("again.onnx");
      Models.exportOnnx(model, again);
      List<double[]> expected = outputs(file);
      double exported = difference(outputs(again), expected);
      long numbers = expected.stream().mapToLong(o -> o.length).sum();
      Map<Double, Pruned> pruned = new LinkedHashMap<>();
      for (double part : parts) {
        pruned.put(part, pruned(model, part, folder));
      }
      String carried = model.metadata().getOrDefault(OnnxImport.CARRIED_NODES, "");
      return new Outcome(Optional.empty(), carried, exported, numbers, pruned);
    } finally {
      dev.secateur.util.Folders.delete(folder);
    }
  }

  private static Model read(Path file) throws IOException {
    try {
      return Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    } catch (SecateurException e) {
      if (!e.getMessage().contains("of any size")) {
        throw e;
      }
      OnnxOptions sized =
          new OnnxOptions(List.of(), List.of(), Optional.of(SIZE), Optional.empty());
      return Models.importOnnx(file, sized, w -> {});
    }
  }

  private static Pruned pruned(Model model, double part, Path folder)
      throws IOException, OrtException {
    ChannelGroups groups = ChannelGroups.of(model.graph(), Scope.ALL);
    Selection s =
        new Selection(
            groups,
            groups.importance(TorchvisionComparison.magnitudes(model), GroupReduction.MEAN),
            Constraints.NONE,
            model.graph());
    Removal removed = s.allows(part) ? s.lowest(part) : s.all(); // taps keep theirs
    Model smaller = Surgery.remove(model, removed);
    Path small = folder.resolve("small.onnx");
    Path zero = folder.resolve("zero.onnx");
    Models.exportOnnx(smaller, small);
    Models.exportOnnx(Zeroed.model(model, removed), zero);
    Cost before = Cost.of(model.graph());
    Cost after = Cost.of(smaller.graph());
    return new Pruned(
        (double) after.parameters() / before.parameters(),
        (double) after.macs() / before.macs(),
        difference(outputs(small), outputs(zero)));
  }

  /** All outputs, in order, of inputs that depend on names and shapes alone. */
  static List<double[]> outputs(Path file) {
    return OnnxOutputs.of(file, 2, SIZE.height(), SIZE.width());
  }

  static double difference(List<double[]> got, List<double[]> expected) {
    return OnnxOutputs.difference(got, expected);
  }

  /** A model's file as of another program: without metadata. */
  static OnnxMl.ModelProto.Builder foreign(Model model, Path folder) throws IOException {
    Path file = folder.resolve("plain.onnx");
    Models.exportOnnx(model, file);
    return OnnxMl.ModelProto.parseFrom(Files.readAllBytes(file)).toBuilder().clearMetadataProps();
  }

  /** Whether what a node makes is what a layer of the model does. */
  static boolean layer(Model model, OnnxMl.NodeProto n) {
    return !n.getOpType().equals("Shape")
        && model.graph().nodes().stream().anyMatch(l -> l.name().equals(n.getName()));
  }
}
