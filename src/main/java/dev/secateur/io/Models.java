package dev.secateur.io;

import dev.secateur.SecateurException;
import dev.secateur.io.keras.KerasImport;
import dev.secateur.io.onnx.Lines;
import dev.secateur.io.onnx.OnnxExport;
import dev.secateur.io.onnx.OnnxExportOptions;
import dev.secateur.io.onnx.OnnxImport;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.io.pytorch.ModuleWriter;
import dev.secateur.io.pytorch.StateDict;
import dev.secateur.io.pytorch.StateDictNames;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.util.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** Reads models from files. */
public final class Models {
  private static final int USUAL_CLASSES = 10;
  private static final int USUAL_CHANNELS = 3;

  private Models() {}

  /** A PyTorch state dict; what is told of it is not. */
  public static Model importPyTorch(Path file, String architecture, Optional<Integer> classes)
      throws IOException {
    return importPyTorch(file, architecture, classes, warning -> {});
  }

  /**
   * A PyTorch state dict, or a safetensors file of one, as a named architecture, by torchvision's
   * names or timm's; the normalisation is the architecture's default.
   *
   * @param classes size of the head; empty: as in the file
   * @param warn told where a file may be of another network than its names say
   * @throws SecateurException when the tensors do not fit, naming the first that differ
   */
  public static Model importPyTorch(
      Path file, String architecture, Optional<Integer> classes, Consumer<String> warn)
      throws IOException {
    if (!Architectures.names().contains(architecture)) {
      throw new SecateurException(
          "unknown architecture "
              + architecture
              + "; expected one of "
              + String.join(", ", Architectures.names()));
    }
    return named(
        file,
        isSafetensors(file) ? Safetensors.tensors(file) : StateDict.read(file),
        architecture,
        classes,
        warn);
  }

  /**
   * Architectures whose tensors are those of a PyTorch state dict, by name and shape.
   *
   * @throws SecateurException for a file that is no state dict
   */
  public static List<String> architectures(Path file) throws IOException {
    Map<String, HostTensor> tensors = StateDict.read(file);
    return Architectures.names().stream()
        .filter(
            name -> {
              try {
                named(file, tensors, name, Optional.empty(), warning -> {});
                return true;
              } catch (SecateurException e) {
                return false;
              }
            })
        .toList();
  }

  /** The same of tensors that were read from a file. */
  static Model named(
      Path file,
      Map<String, HostTensor> read,
      String architecture,
      Optional<Integer> classes,
      Consumer<String> warn) {
    boolean tensorFlow = Architectures.tensorFlow(architecture);
    StateDictNames names = StateDictNames.of(architecture.replaceFirst("^tf_", ""), read);
    if (tensorFlow && !names.timm()) {
      throw new SecateurException(
          file + " is no " + architecture + ": its names are not timm's, whose networks those are");
    }
    Map<String, HostTensor> tensors = names.tensors();
    int size = Architectures.usualSize(architecture);
    Graph usual = Architectures.graph(architecture, USUAL_CLASSES, USUAL_CHANNELS, size);
    Node stem = usual.nodes().stream().filter(n -> n.op() instanceof Convolution).findFirst().get();
    int found = extent(tensors, usual.output(), 0).orElse(USUAL_CLASSES);
    int channels = extent(tensors, stem, 1).orElse(USUAL_CHANNELS);
    Graph graph = Architectures.graph(architecture, classes.orElse(found), channels, size);
    Map<String, Shape> shapes = ParameterShapes.of(graph);
    List<String> differences = new ArrayList<>();
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    shapes.forEach(
        (name, shape) -> {
          HostTensor got =
              switch (name) {
                case "input.mean" -> Architectures.usualMean(architecture, shape);
                case "input.std" -> Architectures.usualStd(architecture, shape);
                default -> tensors.get(name);
              };
          if (got != null && sameMatrix(got.shape(), shape)) {
            got = new HostTensor(shape, got.data());
          }
          if (got == null) {
            differences.add(name + " is missing");
          } else if (!got.shape().equals(shape)) {
            differences.add(name + " is " + got.shape() + ", expected " + shape);
          } else {
            parameters.put(name, got);
          }
        });
    tensors.keySet().stream()
        .filter(n -> !shapes.containsKey(n) && !n.endsWith("num_batches_tracked"))
        .sorted()
        .forEach(n -> differences.add(Text.name(n) + " is not in " + architecture));
    if (!differences.isEmpty()) {
      throw new SecateurException(
          file
              + " is no "
              + architecture
              + ": "
              + differences.size()
              + " tensors differ: "
              + String.join("; ", differences.subList(0, Math.min(3, differences.size()))));
    }
    Map<String, String> metadata =
        Map.of("architecture", architecture, "source", file.getFileName().toString());
    Optional<Float> eps = tensorFlow ? Optional.empty() : names.eps();
    if (eps.isPresent()) {
      String other = "tf_" + architecture;
      boolean known = Architectures.names().contains(other);
      warn.accept(
          file
              + ": names are timm's, read as "
              + architecture
              + (known ? "; one that begins with tf_ in timm is " + other : ""));
    }
    return new Model(eps.map(e -> withEps(graph, e)).orElse(graph), parameters, metadata);
  }

  /** Whether one is a linear layer's weight (K,C), the other a convolution's of as many numbers. */
  private static boolean sameMatrix(Shape a, Shape b) {
    return a.rank() + b.rank() == 6
        && Math.abs(a.rank() - b.rank()) == 2
        && a.dim(0) == b.dim(0)
        && a.elements() == b.elements();
  }

  private static Graph withEps(Graph graph, float eps) {
    List<Node> nodes = new ArrayList<>();
    for (Node n : graph.nodes()) {
      boolean norm = n.op() instanceof BatchNorm;
      Op op = norm ? new BatchNorm(eps, ((BatchNorm) n.op()).momentum()) : n.op();
      nodes.add(n.with(op));
    }
    return new Graph(nodes);
  }

  /** A Keras model that reads pixel / 255, or pixels as they are where it divides them itself. */
  public static Model importKeras(Path file, Optional<Path> weights) throws IOException {
    return importKeras(file, weights, PixelScale.UNIT);
  }

  /**
   * A Keras model; see {@link KerasImport#read}.
   *
   * @param weights empty: in the same file, or beside a .json file under its name ending in .h5 or
   *     .weights.h5
   * @param scale what it reads; {@link PixelScale#UNIT} is of networks that do not divide pixels
   */
  public static Model importKeras(Path file, Optional<Path> weights, PixelScale scale)
      throws IOException {
    String name = file.getFileName().toString();
    boolean json = name.endsWith(".json");
    Path beside = json ? file.resolveSibling(name.replaceFirst("json$", "h5")) : file;
    Path three = file.resolveSibling(name.replaceFirst("json$", "weights.h5"));
    boolean older = !json || Files.exists(beside) || !Files.exists(three);
    Model model = KerasImport.read(file, weights.orElse(older ? beside : three));
    boolean raw =
        scale.equals(PixelScale.UNIT) && model.metadata().containsKey(KerasImport.RAW_PIXELS);
    try {
      return (raw ? PixelScale.Named.RAW.scale() : scale).of(model);
    } catch (IllegalArgumentException e) {
      throw new SecateurException(file + ": " + e.getMessage(), e);
    }
  }

  /** Whether a file begins as safetensors do: eight bytes of length, then JSON. */
  public static boolean isSafetensors(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] head = in.readNBytes(9);
      return head.length == 9 && head[8] == '{';
    }
  }

  /** An extent of a layer's weight, where the file has one of at least two dimensions. */
  private static Optional<Integer> extent(
      Map<String, HostTensor> tensors, Node layer, int dimension) {
    return Optional.ofNullable(tensors.get(layer.parameter("weight")))
        .map(HostTensor::shape)
        .filter(s -> s.rank() > 1)
        .map(s -> s.size(dimension));
  }

  /**
   * An ONNX file; see {@link OnnxImport}.
   *
   * @param warnings told, in one line each, what was left out
   * @throws SecateurException for a file that is no network we know, in one line
   */
  public static Model importOnnx(Path file, OnnxOptions options, Consumer<String> warnings)
      throws IOException {
    return OnnxImport.read(file, options, warnings);
  }

  /**
   * A native model file.
   *
   * @throws SecateurException for anything else, naming the file and what is wrong
   */
  public static Model load(Path file) throws IOException {
    return NativeFormat.load(file);
  }

  /** Writes a native model file; an earlier one stays whole until the new one is. */
  public static void save(Model model, Path file) {
    AtomicFile.write(file, out -> NativeFormat.write(model, out));
  }

  /** Writes an ONNX file as the model came; see {@link OnnxExport}. */
  public static void exportOnnx(Model model, Path file) {
    exportOnnx(model, file, OnnxExportOptions.DEFAULT);
  }

  /**
   * Writes an ONNX file.
   *
   * @throws SecateurException for an opset that what is carried along is not of, or that has no
   *     form of a layer
   */
  public static void exportOnnx(Model model, Path file, OnnxExportOptions options) {
    OnnxExport.write(model, file, options);
  }

  /** Whether a part of an ONNX file is carried along, so that its outputs are not the layers'. */
  public static boolean carries(Model model) {
    return model.metadata().containsKey(OnnxImport.CARRIED);
  }

  /** Whether a model was read from an ONNX file, or what it was pruned from. */
  public static boolean fromOnnx(Model model) {
    return OnnxExport.fromOnnx(model);
  }

  /** Whether the one output of a model's ONNX file is (N,H,W,C). */
  public static boolean outputChannelsLast(Model model) {
    return OnnxExport.lastOut(model);
  }

  /**
   * Writes a PyTorch module of a network, and beside it its parameters as NAME.safetensors.
   *
   * @return the safetensors file
   * @throws SecateurException for what is carried along, or what PyTorch has no function for
   */
  public static Path exportPyTorch(Model model, Path file) {
    if (carries(model)) {
      throw new SecateurException(
          "what is carried along ("
              + model.metadata().getOrDefault(OnnxImport.CARRIED_NODES, "")
              + ") is no PyTorch; export to ONNX");
    }
    String source = ModuleWriter.source(model);
    String name = file.getFileName().toString().replaceFirst("\\.py$", "");
    Path beside = file.resolveSibling(name + ".safetensors");
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    if (Lines.in(model)) {
      parameters.replaceAll((p, t) -> Lines.parameter(t));
    }
    AtomicFile.write(beside, out -> Safetensors.write(parameters, model.metadata(), out));
    AtomicFile.write(file, source);
    return beside;
  }

  /**
   * Writes the parameters alone under their PyTorch names, as plain safetensors (F32), and beside
   * them NAME.channels.json: what each layer is and how many channels it has, to build the smaller
   * network by.
   *
   * @return the JSON file
   */
  public static Path exportSafetensors(Model model, Path file) {
    String name = file.getFileName().toString().replaceFirst("\\.safetensors$", "");
    Path beside = file.resolveSibling(name + ".channels.json");
    AtomicFile.write(file, out -> NativeFormat.writeParameters(model, out));
    AtomicFile.write(beside, ChannelCounts.json(model.graph()));
    return beside;
  }
}
