package dev.secateur.io;

import dev.secateur.SecateurException;
import dev.secateur.io.keras.KerasImport;
import dev.secateur.io.onnx.OnnxExport;
import dev.secateur.io.onnx.OnnxExportOptions;
import dev.secateur.io.onnx.OnnxImport;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.io.pytorch.ModuleWriter;
import dev.secateur.io.pytorch.StateDict;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Convolution;
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
import java.util.regex.Pattern;

/** Reads models from files. */
public final class Models {
  private static final int USUAL_CLASSES = 10;
  private static final int USUAL_CHANNELS = 3;

  /** Torchvision's older DenseNet files write norm.1 for norm1. */
  private static final Pattern DENSE_LAYER =
      Pattern.compile("(denselayer\\d+\\.(?:norm|conv))\\.([12])\\.");

  private Models() {}

  /**
   * A PyTorch state dict, or a safetensors file of one, as a named architecture; the normalisation
   * is the architecture's default.
   *
   * @param classes size of the head; empty: as in the file
   * @throws SecateurException when the tensors do not fit, naming the first that differ
   */
  public static Model importPyTorch(Path file, String architecture, Optional<Integer> classes)
      throws IOException {
    if (!Architectures.names().contains(architecture)) {
      throw new SecateurException(
          "unknown architecture "
              + architecture
              + "; expected one of "
              + String.join(", ", Architectures.names()));
    }
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    (isSafetensors(file) ? Safetensors.tensors(file) : StateDict.read(file))
        .forEach((k, v) -> tensors.put(DENSE_LAYER.matcher(k).replaceAll("$1$2."), v));
    int size = Architectures.usualSize(architecture);
    Graph usual = Architectures.graph(architecture, USUAL_CLASSES, USUAL_CHANNELS, size);
    Node stem = usual.nodes().stream().filter(n -> n.op() instanceof Convolution).findFirst().get();
    int found = extent(tensors, usual.output(), 0).orElse(USUAL_CLASSES);
    int channels = extent(tensors, stem, 1).orElse(USUAL_CHANNELS);
    Model fresh = Architectures.create(architecture, classes.orElse(found), channels, size, 0);
    List<String> differences = new ArrayList<>();
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    fresh
        .parameters()
        .forEach(
            (name, expected) -> {
              HostTensor got = name.startsWith("input.") ? expected : tensors.get(name);
              if (got == null) {
                differences.add(name + " is missing");
              } else if (!got.shape().equals(expected.shape())) {
                Shape shape = expected.shape();
                differences.add(name + " is " + got.shape() + ", expected " + shape);
              } else {
                parameters.put(name, got);
              }
            });
    tensors.keySet().stream()
        .filter(n -> !fresh.parameters().containsKey(n) && !n.endsWith("num_batches_tracked"))
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
    return new Model(fresh.graph(), parameters, metadata);
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
    return Optional.ofNullable(tensors.get(layer.name() + ".weight"))
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
    AtomicFile.write(beside, out -> Safetensors.write(model.parameters(), model.metadata(), out));
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
