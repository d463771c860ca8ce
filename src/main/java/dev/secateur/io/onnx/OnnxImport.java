package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto.Dimension;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import dev.secateur.SecateurException;
import dev.secateur.io.Text;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.Input;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * ONNX models, opsets 9 to 21, as graphs: one image input, float (N,C,H,W) or (N,H,W,C); one
 * output, (N,classes) or (N,C,H,W). Only what the output needs is read. A softmax at the end is
 * taken off, so that the output is logits, and put back by {@link OnnxExport}.
 */
public final class OnnxImport {
  /** Metadata: names of input and output, the input's normalisation, what was taken off the end. */
  static final String INPUT = "onnx.input";

  static final String OUTPUT = "onnx.output";
  static final String MEAN = "onnx.input.mean";
  static final String STD = "onnx.input.std";
  static final String HEAD = "onnx.head";

  /** Metadata: NHWC where the file's input is (N,H,W,C). */
  static final String LAYOUT = "onnx.input.layout";

  /** Metadata of our own exports whose input is raw pixels. */
  static final String PIXELS = "secateur.input";

  private static final long LARGEST_IMAGE = 1 << 28;

  private static final Map<String, String> ADVICE =
      Map.of(
          "If", "export the branch that is taken (torch.jit.trace), or simplify with onnxsim",
          "Loop", "export with the loop unrolled (torch.jit.trace)",
          "Scan", "recurrent networks are not pruned",
          "LSTM", "recurrent networks are not pruned",
          "GRU", "recurrent networks are not pruned",
          "QuantizeLinear", "export the float network from before quantisation",
          "QLinearConv", "export the float network from before quantisation",
          "LRN", "remove local response normalisation, or replace it by batch norm",
          "InstanceNormalization", "group and instance norm are not supported; use batch norm");

  private final Path path;
  private final OnnxFile file;
  private final OnnxMl.GraphProto graph;
  private final OnnxOptions options;
  private final Consumer<String> warnings;
  private final Map<String, OnnxMl.TensorProto> initializers = new HashMap<>();

  private OnnxImport(Path path, OnnxOptions options, Consumer<String> warnings) throws IOException {
    this.path = path;
    this.file = OnnxFile.open(path);
    this.graph = file.model().getGraph();
    this.options = options;
    this.warnings = warnings;
    graph.getInitializerList().forEach(t -> initializers.put(t.getName(), t));
  }

  /**
   * Reads a model.
   *
   * @param warnings told, in one line each, what was left out
   * @throws SecateurException for a file that is no such network: one line that names the node, its
   *     inputs and what could be done
   */
  public static Model read(Path path, OnnxOptions options, Consumer<String> warnings)
      throws IOException {
    try {
      return new OnnxImport(path, options, warnings).read();
    } catch (OutOfMemoryError e) {
      throw new SecateurException(
          path
              + " needs more memory than Java may use ("
              + Runtime.getRuntime().maxMemory() / (1 << 20)
              + " MiB); set JAVA_OPTS=-Xmx8g",
          e);
    }
  }

  private SecateurException refuse(String why) {
    return new SecateurException(path + ": " + why);
  }

  private Model read() {
    int opset = opset();
    ValueInfoProto output = output();
    List<NodeProto> nodes = needed(output.getName());
    supported(nodes);
    Map<String, Integer> uses = new HashMap<>(Map.of(output.getName(), 1));
    nodes.forEach(n -> n.getInputList().forEach(i -> uses.merge(i, 1, Integer::sum)));
    ValueInfoProto input = input(uses);
    Input image = image(input);
    List<Dimension> dims = input.getType().getTensorType().getShape().getDimList();
    long batch = dims.get(0).getDimValue() > 0 ? dims.get(0).getDimValue() : 1;
    if (batch > 1 << 16) {
      throw refuse("input " + Text.name(input.getName()) + " has a batch of " + batch);
    }
    float unit = pixels() ? 1 : 255;
    float[] mean = perChannel(options.mean(), image.channels(), 0, unit, MEAN);
    float[] std = perChannel(options.std(), image.channels(), 1, unit, STD);
    Translator t = new Translator(file, initializers, uses, opset, batch, output.getName());
    t.input(input.getName(), image, mean, std, channelsLast(dims));
    for (NodeProto n : nodes) {
      step(t, n);
    }
    Graph g = finish(t, output.getName());
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(g)
        .forEach(
            (name, shape) -> {
              HostTensor p = t.builder().parameters().get(name);
              if (p == null || !p.shape().equals(shape)) {
                throw refuse("parameter " + Text.name(name) + " does not fit " + shape);
              }
              parameters.put(name, p);
            });
    return new Model(g, parameters, metadata(t, input, mean, std));
  }

  private Graph finish(Translator t, String output) {
    try {
      Translator.Placed end = t.place(t.features(output));
      if (end.layout() == View.Layout.NHWC) {
        throw new IllegalArgumentException(
            "is (N,H,W,C); export with an output (N,C,H,W) or (N,classes)");
      }
      return t.builder().graph(end.node());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw refuse("output " + Text.name(output) + " " + e.getMessage());
    }
  }

  /**
   * The file's own metadata and ours. The source stays the first file of a line of imports and
   * exports.
   */
  private Map<String, String> metadata(
      Translator t, ValueInfoProto input, float[] mean, float[] std) {
    Map<String, String> m = new LinkedHashMap<>();
    file.model().getMetadataPropsList().forEach(p -> m.put(p.getKey(), p.getValue()));
    if (!file.model().getProducerName().equals("secateur") || !m.containsKey("source.sha256")) {
      m.put("source", path.getFileName().toString());
      m.put("source.sha256", file.sha256());
    }
    m.keySet().removeAll(List.of(INPUT, OUTPUT, MEAN, STD, HEAD, LAYOUT));
    if (!pixels()) {
      m.put(INPUT, input.getName());
      if (channelsLast(input.getType().getTensorType().getShape().getDimList())) {
        m.put(LAYOUT, "NHWC");
      }
      m.put(OUTPUT, t.output());
      m.put(MEAN, numbers(mean));
      m.put(STD, numbers(std));
    }
    t.head().ifPresent(h -> m.put(HEAD, h));
    return m;
  }

  private static String numbers(float[] v) {
    List<String> out = new ArrayList<>();
    for (float f : v) {
      out.add(Float.toString(f));
    }
    return String.join(",", out);
  }

  /** Whether this is an export of ours that normalises raw pixels itself. */
  private boolean pixels() {
    return file.model().getMetadataPropsList().stream()
        .anyMatch(p -> p.getKey().equals(PIXELS) && p.getValue().equals("pixels"));
  }

  private float[] perChannel(
      List<Float> given, int channels, float otherwise, float unit, String key) {
    float[] out = new float[channels];
    Arrays.fill(out, otherwise * unit);
    Optional<float[]> told = given.isEmpty() ? told(key, channels) : Optional.empty();
    if (told.isPresent()) {
      return told.get();
    }
    if (!given.isEmpty() && given.size() != 1 && given.size() != channels) {
      throw refuse(
              (key.equals(MEAN) ? "the mean has " : "the deviation has ")
                  + given.size()
                  + " numbers; the input has "
                  + channels
                  + " channels")
          .about(key.equals(MEAN) ? "onnx.mean" : "onnx.std");
    }
    for (int i = 0; i < channels && !given.isEmpty(); i++) {
      out[i] = given.get(given.size() == 1 ? 0 : i) * unit;
    }
    return out;
  }

  /** What an earlier import was told, in a file that we exported. */
  private Optional<float[]> told(String key, int channels) {
    if (!file.model().getProducerName().equals("secateur")) {
      return Optional.empty();
    }
    String[] words =
        file.model().getMetadataPropsList().stream()
            .filter(p -> p.getKey().equals(key))
            .findFirst()
            .map(p -> p.getValue().split(","))
            .orElse(new String[0]);
    float[] out = new float[channels];
    try {
      for (int i = 0; i < words.length && i < channels; i++) {
        out[i] = Float.parseFloat(words[i]);
      }
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
    return words.length == channels ? Optional.of(out) : Optional.empty();
  }

  // ---- what there is ---------------------------------------------------------------------------

  private int opset() {
    long version =
        file.model().getOpsetImportList().stream()
            .filter(o -> o.getDomain().isEmpty() || o.getDomain().equals("ai.onnx"))
            .mapToLong(OnnxMl.OperatorSetIdProto::getVersion)
            .max()
            .orElse(0);
    if (version < 9 || version > 21) {
      throw refuse("has opset " + version + "; opsets 9 to 21 are read: export again with one");
    }
    return (int) version;
  }

  private ValueInfoProto output() {
    List<String> names = graph.getOutputList().stream().map(ValueInfoProto::getName).toList();
    if (names.isEmpty()) {
      throw refuse("has no output");
    }
    String wanted = options.output().orElse(names.get(0));
    if (!names.contains(wanted)) {
      throw refuse(
          "has no output " + Text.name(wanted) + "; it has " + Text.name(String.join(", ", names)));
    }
    if (names.size() > 1 && options.output().isEmpty()) {
      warnings.accept(
          path
              + ": of "
              + names.size()
              + " outputs the first, "
              + Text.name(wanted)
              + ", is read, and an export has it alone; another can be taken by its name");
    }
    return graph.getOutput(names.indexOf(wanted));
  }

  private List<NodeProto> needed(String output) {
    Map<String, NodeProto> makers = new HashMap<>();
    for (NodeProto n : graph.getNodeList()) {
      for (String o : n.getOutputList()) {
        if (!o.isEmpty() && makers.put(o, n) != null) {
          throw refuse("two nodes make " + Text.name(o));
        }
      }
    }
    Set<NodeProto> out = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<String> seen = new HashSet<>(Set.of(output));
    Deque<String> open = new ArrayDeque<>(seen);
    while (!open.isEmpty()) {
      NodeProto n = makers.get(open.poll());
      if (n != null && out.add(n)) {
        for (String i : n.getInputList()) {
          if (seen.add(i)) {
            open.add(i);
          }
        }
      }
    }
    if (out.isEmpty()) {
      throw refuse("no node makes the output " + Text.name(output));
    }
    return graph.getNodeList().stream().filter(out::contains).toList();
  }

  private void supported(List<NodeProto> nodes) {
    Set<String> others = new TreeSet<>();
    NodeProto first = null;
    for (NodeProto n : nodes) {
      boolean own = n.getDomain().isEmpty() || n.getDomain().equals("ai.onnx");
      if (!own || !Operators.known(n.getOpType())) {
        first = first == null ? n : first;
        others.add(Text.name(own ? n.getOpType() : n.getDomain() + "." + n.getOpType()));
      }
    }
    if (first != null) {
      others.remove(Text.name(first.getOpType()));
      String advice =
          ADVICE.getOrDefault(
              first.getOpType(),
              "try onnxsim, an export with constant folding, or leave this part of the network"
                  + " out");
      throw refuse(
          "node "
              + describe(first, Text::name)
              + " is not supported; "
              + advice
              + (others.isEmpty()
                  ? ""
                  : " (nor are " + Text.name(String.join(", ", others)) + ")"));
    }
  }

  private String describe(NodeProto n, UnaryOperator<String> tensor) {
    List<String> in = n.getInputList().stream().limit(6).map(tensor).toList();
    String name = n.getName().isBlank() ? n.getOutput(0) : n.getName();
    return Text.name(name)
        + " ("
        + Text.name(n.getOpType())
        + (in.isEmpty() ? ")" : "; inputs " + String.join(", ", in) + ")");
  }

  private ValueInfoProto input(Map<String, Integer> uses) {
    List<ValueInfoProto> inputs =
        graph.getInputList().stream()
            .filter(i -> !initializers.containsKey(i.getName()) && uses.containsKey(i.getName()))
            .toList();
    if (inputs.size() != 1) {
      throw refuse(
          "has "
              + inputs.size()
              + " inputs ("
              + Text.name(String.join(", ", inputs.stream().map(ValueInfoProto::getName).toList()))
              + "); expected one image");
    }
    return inputs.get(0);
  }

  /** Whether an input is (N,H,W,C), as TensorFlow's are: one or three channels behind an image. */
  private static boolean channelsLast(List<Dimension> dims) {
    long h = dims.get(1).getDimValue();
    long c = dims.get(3).getDimValue();
    return (c == 1 || c == 3) && (h == 0 || h >= 16);
  }

  private Input image(ValueInfoProto input) {
    OnnxMl.TypeProto.Tensor type = input.getType().getTensorType();
    String name = "input " + Text.name(input.getName());
    if (type.getElemType() != OnnxMl.TensorProto.DataType.FLOAT_VALUE) {
      throw refuse(name + " has data type " + type.getElemType() + "; expected float (1)");
    }
    List<Dimension> dims = type.getShape().getDimList();
    List<String> shown =
        dims.stream()
            .limit(8)
            .map(d -> d.hasDimValue() ? Long.toString(d.getDimValue()) : Text.name(d.getDimParam()))
            .toList();
    String shape = name + " is (" + String.join(",", shown) + ")";
    if (dims.size() != 4) {
      throw refuse(shape + "; expected (N,C,H,W) or (N,H,W,C)");
    }
    int first = channelsLast(dims) ? 1 : 2;
    long c = dims.get(first == 1 ? 3 : 1).getDimValue();
    long h = dims.get(first).getDimValue();
    long w = dims.get(first + 1).getDimValue();
    if (c < 1) {
      throw refuse(shape + "; the number of channels must be fixed");
    }
    if (options.size().isPresent()) {
      OnnxOptions.Size s = options.size().get();
      if (h > 0 && h != s.height() || w > 0 && w != s.width()) {
        throw refuse(shape + "; a size of " + s.height() + "," + s.width() + " is of no use there")
            .about("onnx.input-size");
      }
      h = s.height();
      w = s.width();
    }
    if (h < 1 || w < 1) {
      throw refuse(shape + ", of any size: say its height and width").about("onnx.input-size");
    }
    if (c > LARGEST_IMAGE || h > LARGEST_IMAGE || w > LARGEST_IMAGE || over(c, h, w)) {
      throw refuse(shape + ", which is too large");
    }
    return new Input((int) c, (int) h, (int) w);
  }

  private static boolean over(long c, long h, long w) {
    return h * w > LARGEST_IMAGE || c * h * w > LARGEST_IMAGE;
  }

  // ---- node by node ----------------------------------------------------------------------------

  private void step(Translator t, NodeProto n) {
    try {
      if (n.getOutputCount() == 0) {
        throw new IllegalArgumentException("has no output");
      }
      Operators.read(new Step(t, n));
    } catch (IllegalArgumentException
        | ArithmeticException
        | IndexOutOfBoundsException
        | NegativeArraySizeException
        | NoSuchElementException e) {
      String why =
          e instanceof IllegalArgumentException ? e.getMessage() : "has inputs that do not fit";
      throw new SecateurException(path + ": node " + describe(n, t::describe) + ": " + why, e);
    }
  }
}
