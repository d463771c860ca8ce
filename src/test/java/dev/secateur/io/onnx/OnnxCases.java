package dev.secateur.io.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.secateur.SecateurException;
import dev.secateur.io.Half;
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
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
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
   * @param pruned by the part of filters that was to go
   */
  record Outcome(
      Optional<String> refused, String carried, double exported, Map<Double, Pruned> pruned) {}

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
    StringBuilder row = new StringBuilder(o.carried().isEmpty() ? "" : o.carried());
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

  static Outcome of(Path file, double... parts) throws IOException, OrtException {
    Path folder = Files.createTempDirectory("onnx-case");
    try {
      Model model;
      try {
        model = read(file);
      } catch (SecateurException e) {
        return new Outcome(Optional.of(e.getMessage()), "", 0, Map.of());
      }
      Path again = folder.resolve("again.onnx");
      Models.exportOnnx(model, again);
      double exported = difference(outputs(again), outputs(file));
      Map<Double, Pruned> pruned = new LinkedHashMap<>();
      for (double part : parts) {
        pruned.put(part, pruned(model, part, folder));
      }
      String carried = model.metadata().getOrDefault(OnnxImport.CARRIED_NODES, "");
      return new Outcome(Optional.empty(), carried, exported, pruned);
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
    Removal removed = s.lowest(part);
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

  // ---- ONNX Runtime ----------------------------------------------------------------------------

  /** All outputs, in order, of inputs that depend on names and shapes alone. */
  static List<double[]> outputs(Path file) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    List<double[]> out = new ArrayList<>();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.NO_OPT);
      try (OrtSession session = environment.createSession(file.toString(), options)) {
        Map<String, OnnxTensorLike> in = new LinkedHashMap<>();
        for (Map.Entry<String, ai.onnxruntime.NodeInfo> e : session.getInputInfo().entrySet()) {
          in.put(e.getKey(), input(environment, (TensorInfo) e.getValue().getInfo()));
        }
        try (OrtSession.Result r = session.run(in)) {
          for (Map.Entry<String, ai.onnxruntime.OnnxValue> e : r) {
            out.add(numbers((OnnxTensor) e.getValue()));
          }
        }
      }
    }
    return out;
  }

  private static OnnxTensor input(OrtEnvironment environment, TensorInfo info) throws OrtException {
    long[] shape = info.getShape();
    long elements = 1;
    for (int i = 0; i < shape.length; i++) {
      if (shape[i] < 1) {
        shape[i] = i == 0 ? 2 : i == 2 ? SIZE.height() : SIZE.width();
      }
      elements *= shape[i];
    }
    OnnxJavaType type = info.type;
    ByteBuffer data = ByteBuffer.allocateDirect((int) elements * 8).order(ByteOrder.nativeOrder());
    SplittableRandom random = new SplittableRandom(elements);
    for (int i = 0; i < elements; i++) {
      float v = (float) random.nextDouble();
      switch (type) {
        case FLOAT -> data.putFloat(v);
        case FLOAT16 -> data.putShort(Half.ofFloat(v));
        case UINT8 -> data.put((byte) (int) (255 * v));
        case INT64 -> data.putLong((long) (100 * v));
        default -> throw new AssertionError("no inputs of type " + type);
      }
    }
    return OnnxTensor.createTensor(environment, data.flip(), shape, type);
  }

  private static double[] numbers(OnnxTensor t) {
    ByteBuffer b = t.getByteBuffer().order(ByteOrder.nativeOrder());
    List<Double> out = new ArrayList<>();
    while (b.hasRemaining()) {
      out.add(
          switch (t.getInfo().type) {
            case FLOAT -> (double) b.getFloat();
            case DOUBLE -> b.getDouble();
            case FLOAT16 -> (double) Half.toFloat(b.getShort());
            case INT64 -> (double) b.getLong();
            case INT32 -> (double) b.getInt();
            default -> (double) b.get();
          });
    }
    return out.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** The largest of all outputs' differences, each as a part of its largest value. */
  static double difference(List<double[]> got, List<double[]> expected) {
    if (got.size() != expected.size()) {
      throw new AssertionError(got.size() + " outputs and " + expected.size());
    }
    double worst = 0;
    for (int o = 0; o < got.size(); o++) {
      double[] a = got.get(o);
      double[] b = expected.get(o);
      if (a.length != b.length) {
        throw new AssertionError("output " + o + ": " + a.length + " and " + b.length);
      }
      double largest = 1e-6;
      double difference = 0;
      for (int i = 0; i < a.length; i++) {
        largest = Math.max(largest, Math.abs(b[i]));
        difference =
            Math.max(
                difference,
                Double.isNaN(a[i] - b[i]) ? Double.POSITIVE_INFINITY : Math.abs(a[i] - b[i]));
      }
      worst = Math.max(worst, difference / largest);
    }
    return worst;
  }
}
