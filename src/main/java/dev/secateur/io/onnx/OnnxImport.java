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
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * ONNX models, opsets 7 to 24, as graphs: one image input, float (N,C,H,W), (N,H,W,C) or (C,H,W),
 * or (N,C,L) or (N,L,C), where L becomes the width of an image of height 1; one output,
 * (N,classes), (N,C,H,W), (N,H,W,C) or (N,C,L). Only what the output needs is read. A softmax at
 * the end is taken off, so that the output is logits, and put back by {@link OnnxExport}.
 */
public final class OnnxImport {
  /** Metadata: names of input and output, the input's normalisation, what was taken off the end. */
  static final String INPUT = "onnx.input";

  static final String OUTPUT = "onnx.output";
  static final String MEAN = "onnx.input.mean";
  static final String STD = "onnx.input.std";
  public static final String HEAD = "onnx.head";

  /**
   * Metadata: NHWC where the file's input is (N,H,W,C), NCL or NLC where it has a length, CHW where
   * it is one image, (C,H,W).
   */
  static final String LAYOUT = "onnx.input.layout";

  /** Metadata: NHWC or NCL where its one output is so. */
  static final String OUTPUT_LAYOUT = "onnx.output.layout";

  /** Metadata: the file's opset, and its batch where that is not any or has a name. */
  static final String OPSET = "onnx.opset";

  static final String BATCH = "onnx.batch";

  /** Metadata: the data type of the file's weights where that is not float, and of its input. */
  static final String TYPE = "onnx.type";

  static final String INPUT_TYPE = "onnx.input.type";

  /** Metadata: of several images "CHANNELS NAME", a line each. */
  static final String INPUTS = "onnx.inputs";

  /** Metadata: that of its first output. */
  static final String OUTPUT_TYPE = "onnx.output.type";

  private static final List<Integer> INPUT_TYPES =
      List.of(
          OnnxMl.TensorProto.DataType.FLOAT_VALUE,
          OnnxMl.TensorProto.DataType.UINT8_VALUE,
          OnnxMl.TensorProto.DataType.FLOAT16_VALUE,
          OnnxMl.TensorProto.DataType.BFLOAT16_VALUE);

  /** Operators of quantised networks, whose numbers would have to be cut too. */
  private static final Pattern QUANTISED =
      Pattern.compile(
          "(Dynamic|De)?QuantizeLinear|QLinear\\w+|ConvInteger|MatMulInteger|Quant|BipolarQuant|Trunc");

  /** Metadata: what is carried along, in base 64. */
  public static final String CARRIED = "onnx.carried";

  /** Metadata: operators that are carried along, for people. */
  public static final String CARRIED_NODES = "onnx.carried.operators";

  /** Names of nodes that join what is carried along begin with it. */
  static final String PACKED = "carried.";

  /** Metadata of our own exports whose input is raw pixels. */
  static final String PIXELS = "secateur.input";

  /** What reads (N,C,H,W). */
  private static final Set<String> LAYERS =
      Set.of("Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization");

  /** What leaves the axes of an image as they are. */
  private static final Set<String> EACH =
      Set.of("Cast", "Identity", "Add", "Sub", "Mul", "Div", "Clip", "Pad");

  static final long LARGEST_IMAGE = 1 << 28;

  private static final Map<String, String> ADVICE =
      Map.of(
          "If", "export the branch that is taken (torch.jit.trace), or simplify with onnxsim",
          "Loop", "export with the loop unrolled (torch.jit.trace)",
          "Scan", "recurrent networks are not pruned",
          "LSTM", "recurrent networks are not pruned",
          "GRU", "recurrent networks are not pruned",
          "QuantizeLinear", "export the float network from before quantisation",
          "QLinearConv", "export the float network from before quantisation");

  private final Path path;
  private final OnnxFile file;
  private final OnnxMl.ModelProto model;
  private final OnnxMl.GraphProto graph;
  private final OnnxOptions options;
  private final Consumer<String> warnings;
  private final Map<String, OnnxMl.TensorProto> initializers = new HashMap<>();
  private final Map<String, NodeProto> makers = new HashMap<>();

  private OnnxImport(Path path, OnnxOptions options, Consumer<String> warnings) throws IOException {
    this.path = path;
    this.file = OnnxFile.open(path);
    this.model = inlined();
    this.graph = model.getGraph();
    this.options = options;
    this.warnings = warnings;
    graph.getInitializerList().forEach(t -> initializers.put(t.getName(), t));
  }

  private OnnxMl.ModelProto inlined() {
    try {
      return LocalFunctions.inlined(file.model());
    } catch (IllegalArgumentException e) {
      throw refuse(e.getMessage());
    }
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

  /** Why nodes are not known, in the order of the file; what follows from them is not told. */
  private final List<SecateurException> unknown = new ArrayList<>();

  /** What to warn of. */
  private final List<String> told = new ArrayList<>();

  /** Whether layers may read what is not known. */
  private boolean entering;

  /** Whether some layer reads what is not known. */
  private boolean enterable;

  private SecateurException refuse(String why) {
    return new SecateurException(path + ": " + why);
  }

  /**
   * The layers in front of all that is not known, which run here; or those behind it too, where the
   * former are none or hold less than half of the numbers of all.
   */
  private Model read() {
    findMakers();
    Optional<Model> front = Optional.empty();
    Optional<SecateurException> refused = Optional.empty();
    try {
      front = Optional.of(translated());
    } catch (SecateurException e) {
      if (e.getCause() instanceof Translator.Broken) {
        throw e;
      }
      refused = Optional.of(e);
    }
    List<String> toldOfFront = List.copyOf(told);
    if (enterable) {
      entering = true;
      unknown.clear();
      told.clear();
      try {
        Model all = translated();
        boolean more = front.isEmpty() || numbers(all) > 2 * numbers(front.get());
        if (all.graph().opaque() && more) {
          told.forEach(warnings);
          return all;
        }
      } catch (SecateurException e) {
        refused = refused.or(() -> Optional.of(e)); // as before
      }
    }
    if (front.isEmpty()) {
      throw refused.orElseThrow();
    }
    toldOfFront.forEach(warnings);
    return front.get();
  }

  private static long numbers(Model m) {
    return m.parameters().values().stream().mapToLong(p -> p.shape().elements()).sum();
  }

  private Model translated() {
    int opset = opset();
    List<ValueInfoProto> outputs = outputs();
    List<String> wanted = outputs.stream().map(ValueInfoProto::getName).toList();
    List<NodeProto> nodes = needed(wanted);
    Map<String, Integer> uses = new HashMap<>();
    wanted.forEach(o -> uses.merge(o, 1, Integer::sum));
    nodes.forEach(n -> Carried.reads(n).forEach(i -> uses.merge(i, 1, Integer::sum)));
    ValueInfoProto input = input(uses);
    List<ValueInfoProto> images = images(input, uses);
    List<Input> sizes = images.stream().map(this::image).toList();
    Input first = sizes.get(0);
    int channels = sizes.stream().mapToInt(Input::channels).sum();
    Input image = new Input(channels, first.height(), first.width());
    List<Dimension> dims = input.getType().getTensorType().getShape().getDimList();
    boolean single = single(input);
    long batch = !single && dims.get(0).getDimValue() > 0 ? dims.get(0).getDimValue() : 1;
    if (batch > 1 << 16) {
      throw refuse("input " + Text.name(input.getName()) + " has a batch of " + batch);
    }
    int type = input.getType().getTensorType().getElemType();
    float unit = pixels() || type == OnnxMl.TensorProto.DataType.UINT8_VALUE ? 1 : 255;
    float[] mean = perChannel(options.mean(), image.channels(), 0, unit, MEAN);
    float[] std = perChannel(options.std(), image.channels(), 1, unit, STD);
    Translator t = new Translator(file, initializers, uses, opset, batch, wanted.get(0));
    View.Layout layout = layout(input);
    t.input(input.getName(), image, mean, std, layout);
    Carrying carrying =
        new Carrying(
            file,
            model,
            initializers,
            makers,
            this::needed,
            nodes,
            t,
            extents(image, layout, single),
            this::refuse);
    if (single) {
      t.single(input.getName());
    }
    if (images.size() > 1) {
      t.divide(
          images.stream().map(ValueInfoProto::getName).toList(),
          sizes.stream().map(Input::channels).toList(),
          layout);
    }
    for (ValueInfoProto other : inputs(uses)) {
      if (!images.contains(other)) {
        t.put(other.getName(), new Value.Opaque());
        unknown.add(
            refuse(
                "input "
                    + Text.name(other.getName())
                    + " is no image like "
                    + Text.name(input.getName())
                    + ", and what reads it is not known"));
      }
    }
    for (NodeProto n : nodes) {
      step(t, carrying, n);
    }
    Map<String, String> metadata =
        metadata(t, input, outputs.get(0).getType().getTensorType().getElemType(), mean, std);
    if (images.size() > 1) {
      metadata.put(
          INPUTS,
          String.join(
              "\n",
              images.stream()
                  .map(i -> sizes.get(images.indexOf(i)).channels() + " " + i.getName())
                  .toList()));
    }
    Graph g =
        wanted.size() == 1 && unknown.isEmpty()
            ? finish(t, wanted.get(0), metadata)
            : carrying.carry(nodes, outputs, unknown, metadata);
    if (metadata.containsKey(CARRIED)) {
      tell(Carried.of(metadata).orElseThrow(), g);
    }
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
    return new Model(g, parameters, metadata);
  }

  private Graph finish(Translator t, String output, Map<String, String> metadata) {
    try {
      Translator.Placed end = t.place(t.features(output));
      if (end.layout() == View.Layout.NLC) {
        throw new IllegalArgumentException(
            "is NLC; export with an output (N,C,H,W), (N,H,W,C), (N,C,L) or (N,classes)");
      }
      if (end.layout() == View.Layout.NHWC || end.layout() == View.Layout.NCL) {
        metadata.put(OUTPUT_LAYOUT, end.layout().name());
      }
      return t.builder().graph(end.node(), List.of());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw refuse("output " + Text.name(output) + " " + e.getMessage());
    }
  }

  /** Notes what is carried along, where that is more than further outputs. */
  private void tell(Carried c, Graph g) {
    boolean first = c.taps().stream().anyMatch(t -> t.tensor().equals(c.outputs().get(0)));
    if (!first || !unknown.isEmpty()) {
      told.add(
          path
              + ": carried along as it is, "
              + c.parameters()
              + " numbers"
              + (g.opaque() ? ", in front of layers, so that ONNX Runtime alone runs it: " : ": ")
              + (c.operators().isEmpty() ? "no node" : Text.name(c.operators()))
              + (unknown.isEmpty() ? "" : "; the first of them " + told(unknown.get(0))));
    }
  }

  /** The type of the largest weight, where it is a half. */
  private Optional<Integer> weightType() {
    return initializers.values().stream()
        .filter(t -> t.getDimsCount() > 1)
        .max(Comparator.comparingLong(t -> t.getDimsList().stream().reduce(1L, (a, b) -> a * b)))
        .map(OnnxMl.TensorProto::getDataType)
        .filter(
            t ->
                t == OnnxMl.TensorProto.DataType.FLOAT16_VALUE
                    || t == OnnxMl.TensorProto.DataType.BFLOAT16_VALUE);
  }

  private String told(SecateurException e) {
    String all = e.getMessage();
    String front = path + ": node ";
    return all.startsWith(front) ? all.substring(front.length()) : all;
  }

  /**
   * The file's own metadata and ours. The source stays the first file of a line of imports and
   * exports.
   */
  private Map<String, String> metadata(
      Translator t, ValueInfoProto input, int outputType, float[] mean, float[] std) {
    Map<String, String> m = new LinkedHashMap<>();
    file.model().getMetadataPropsList().forEach(p -> m.put(p.getKey(), p.getValue()));
    if (!file.model().getProducerName().equals("secateur") || !m.containsKey("source.sha256")) {
      m.put("source", path.getFileName().toString());
      m.put("source.sha256", file.sha256());
    }
    m.keySet()
        .removeAll(
            List.of(
                INPUT,
                INPUTS,
                OUTPUT,
                MEAN,
                STD,
                HEAD,
                LAYOUT,
                OUTPUT_LAYOUT,
                OPSET,
                BATCH,
                TYPE,
                INPUT_TYPE,
                OUTPUT_TYPE,
                CARRIED,
                CARRIED_NODES));
    if (!pixels()) {
      m.put(OPSET, Integer.toString(t.opset()));
      m.put(OUTPUT_TYPE, Integer.toString(outputType));
      m.put(INPUT_TYPE, Integer.toString(input.getType().getTensorType().getElemType()));
      weightType().ifPresent(type -> m.put(TYPE, Integer.toString(type)));
      List<Dimension> dims = input.getType().getTensorType().getShape().getDimList();
      Dimension batch = dims.get(0);
      if (single(input)) {
        m.put(BATCH, "1");
        m.put(LAYOUT, "CHW");
      } else if (batch.getDimValue() > 0) {
        m.put(BATCH, Long.toString(batch.getDimValue()));
      } else if (!batch.getDimParam().isBlank()) {
        m.put(BATCH, batch.getDimParam());
      }
      m.put(INPUT, input.getName());
      if (layout(input) != View.Layout.NCHW) {
        m.put(LAYOUT, layout(input).name());
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
        model.getOpsetImportList().stream()
            .filter(o -> o.getDomain().isEmpty() || o.getDomain().equals("ai.onnx"))
            .mapToLong(OnnxMl.OperatorSetIdProto::getVersion)
            .max()
            .orElse(0);
    if (version < 7 || version > 24) {
      throw refuse("has opset " + version + "; opsets 7 to 24 are read: export again with one");
    }
    return (int) version;
  }

  private List<ValueInfoProto> outputs() {
    List<String> names = graph.getOutputList().stream().map(ValueInfoProto::getName).toList();
    if (names.isEmpty()) {
      throw refuse("has no output");
    }
    if (options.output().isEmpty()) {
      return graph.getOutputList();
    }
    String wanted = options.output().get();
    if (!names.contains(wanted)) {
      throw refuse(
          "has no output " + Text.name(wanted) + "; it has " + Text.name(String.join(", ", names)));
    }
    return List.of(graph.getOutput(names.indexOf(wanted)));
  }

  private void findMakers() {
    for (NodeProto n : graph.getNodeList()) {
      for (String o : n.getOutputList()) {
        if (!o.isEmpty() && makers.put(o, n) != null) {
          throw refuse("two nodes make " + Text.name(o));
        }
      }
    }
  }

  /** The nodes that tensors need, in the order of the file. */
  private List<NodeProto> needed(Collection<String> outputs) {
    Set<NodeProto> out = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<String> seen = new HashSet<>(outputs);
    Deque<String> open = new ArrayDeque<>(seen);
    while (!open.isEmpty()) {
      NodeProto n = makers.get(open.poll());
      if (n != null && out.add(n)) {
        for (String i : Carried.reads(n)) {
          if (seen.add(i)) {
            open.add(i);
          }
        }
      }
    }
    if (out.isEmpty()) {
      throw refuse("no node makes the output " + Text.name(outputs.iterator().next()));
    }
    return graph.getNodeList().stream().filter(out::contains).toList();
  }

  /** The refusal of an operator that is not read; the first names others too. */
  private SecateurException unsupported(NodeProto n) {
    Set<String> others = new TreeSet<>();
    for (NodeProto m : graph.getNodeList()) {
      boolean own = ours(m);
      if (!own || !Operators.known(m.getOpType())) {
        others.add(Text.name(own ? m.getOpType() : m.getDomain() + "." + m.getOpType()));
      }
    }
    others.remove(Text.name(n.getOpType()));
    String advice =
        ADVICE.getOrDefault(
            n.getOpType(),
            "try onnxsim, an export with constant folding, or leave this part of the network"
                + " out");
    return refuse(
        "node "
            + describe(n, Text::name)
            + " is not supported; "
            + advice
            + (others.isEmpty() ? "" : " (nor are " + Text.name(String.join(", ", others)) + ")"));
  }

  static boolean ours(NodeProto n) {
    return n.getDomain().isEmpty() || n.getDomain().equals("ai.onnx");
  }

  private String describe(NodeProto n, UnaryOperator<String> tensor) {
    List<String> in = n.getInputList().stream().limit(6).map(tensor).toList();
    String name = n.getName().isBlank() ? n.getOutput(0) : n.getName();
    return Text.name(name)
        + " ("
        + Text.name(n.getOpType())
        + (in.isEmpty() ? ")" : "; inputs " + String.join(", ", in) + ")");
  }

  /** What the network is given, weights that are listed as inputs left out. */
  private List<ValueInfoProto> inputs(Map<String, Integer> uses) {
    return graph.getInputList().stream()
        .filter(i -> !initializers.containsKey(i.getName()) && uses.containsKey(i.getName()))
        .toList();
  }

  private static int axes(ValueInfoProto input) {
    return input.getType().getTensorType().getShape().getDimCount();
  }

  /** The image: the first input of four axes, or of three, where there are several. */
  private ValueInfoProto input(Map<String, Integer> uses) {
    List<ValueInfoProto> inputs = inputs(uses);
    return inputs.stream()
        .filter(i -> inputs.size() == 1 || axes(i) == 4)
        .findFirst()
        .or(() -> inputs.stream().filter(i -> axes(i) == 3).findFirst())
        .orElseThrow(
            () ->
                refuse(
                    "has "
                        + inputs.size()
                        + " inputs ("
                        + Text.name(
                            String.join(
                                ", ", inputs.stream().map(ValueInfoProto::getName).toList()))
                        + "); expected an image"));
  }

  /** The image and others that are like it but for their channels: they are read as one. */
  private List<ValueInfoProto> images(ValueInfoProto image, Map<String, Integer> uses) {
    List<Dimension> own = image.getType().getTensorType().getShape().getDimList();
    if (own.size() != 3 && own.size() != 4 || single(image) || layout(image).channelsLast()) {
      return List.of(image);
    }
    return inputs(uses).stream()
        .filter(
            i -> {
              OnnxMl.TypeProto.Tensor t = i.getType().getTensorType();
              List<Dimension> dims = t.getShape().getDimList();
              return i == image
                  || t.getElemType() == image.getType().getTensorType().getElemType()
                      && dims.size() == own.size()
                      && dims.get(0).equals(own.get(0))
                      && dims.get(1).getDimValue() > 0
                      && dims.subList(2, dims.size()).equals(own.subList(2, own.size()));
            })
        .toList();
  }

  /**
   * (N,H,W,C), as TensorFlow's are: by the first layer or transpose that reads it, else where one
   * or three channels are behind an image; (N,L,C) where all that read it turn it to (N,C,L). Of
   * one image, (C,H,W), that of the batch that it becomes.
   */
  private View.Layout layout(ValueInfoProto input) {
    List<Dimension> dims = input.getType().getTensorType().getShape().getDimList();
    if (dims.size() == 3 && !single(input)) {
      List<NodeProto> readers =
          graph.getNodeList().stream()
              .filter(n -> n.getInputList().contains(input.getName()))
              .toList();
      boolean turned = !readers.isEmpty() && readers.stream().allMatch(OnnxImport::turns);
      return turned ? View.Layout.NLC : View.Layout.NCL;
    }
    return dims.size() == 4 && channelsLast(input, dims) ? View.Layout.NHWC : View.Layout.NCHW;
  }

  /**
   * Whether an input is one image, (C,H,W), not a batch of lines: its channels are one or three,
   * and windows have two dimensions.
   */
  private boolean single(ValueInfoProto input) {
    List<Dimension> dims = input.getType().getTensorType().getShape().getDimList();
    long c = dims.size() == 3 ? dims.get(0).getDimValue() : 0;
    Set<Integer> windows =
        graph.getNodeList().stream()
            .filter(n -> n.getOpType().equals("Conv") && n.getInputCount() > 1)
            .map(n -> initializers.get(n.getInput(1)))
            .filter(Objects::nonNull)
            .map(OnnxMl.TensorProto::getDimsCount)
            .collect(Collectors.toSet());
    return (c == 1 || c == 3) && windows.contains(4) && !windows.contains(3);
  }

  /** The extents of an image as an input has them. */
  private static long[] extents(Input image, View.Layout layout, boolean single) {
    long c = image.channels();
    long h = image.height();
    long w = image.width();
    return switch (layout) {
      case NHWC -> new long[] {1, h, w, c};
      case NCL -> new long[] {1, c, w};
      case NLC -> new long[] {1, w, c};
      case NCHW, FLAT -> single ? new long[] {c, h, w} : new long[] {1, c, h, w};
    };
  }

  private boolean channelsLast(ValueInfoProto input, List<Dimension> dims) {
    List<String> reached = new ArrayList<>(List.of(input.getName()));
    for (int i = 0; i < reached.size() && i < 16; i++) {
      String x = reached.get(i);
      for (NodeProto n : graph.getNodeList()) {
        if (n.getInputCount() == 0 || !n.getInputList().contains(x)) {
          continue;
        }
        if (n.getOpType().equals("Transpose")) {
          Optional<long[]> perm = new Attributes(n).integers("perm");
          if (perm.isPresent() && perm.get().length == 4 && perm.get()[1] != 1) {
            return perm.get()[1] == 3;
          }
        } else if (LAYERS.contains(n.getOpType())) {
          return false;
        } else if (EACH.contains(n.getOpType())) {
          reached.addAll(n.getOutputList());
        }
      }
    }
    long h = dims.get(1).getDimValue();
    long c = dims.get(3).getDimValue();
    return (c == 1 || c == 3) && (h == 0 || h >= 16);
  }

  /** Whether a node exchanges the last two of three axes. */
  private static boolean turns(NodeProto n) {
    return n.getOpType().equals("Transpose")
        && new Attributes(n)
            .integers("perm")
            .filter(p -> Arrays.equals(p, new long[] {0, 2, 1}))
            .isPresent();
  }

  private Input image(ValueInfoProto input) {
    OnnxMl.TypeProto.Tensor type = input.getType().getTensorType();
    String name = "input " + Text.name(input.getName());
    if (!INPUT_TYPES.contains(type.getElemType())) {
      throw refuse(
          name
              + " has data type "
              + type.getElemType()
              + "; expected float (1), uint8 (2), float16 (10) or bfloat16 (16)");
    }
    List<Dimension> dims = type.getShape().getDimList();
    List<String> shown =
        dims.stream()
            .limit(8)
            .map(d -> d.hasDimValue() ? Long.toString(d.getDimValue()) : Text.name(d.getDimParam()))
            .toList();
    String shape = name + " is (" + String.join(",", shown) + ")";
    if (dims.size() != 4 && dims.size() != 3) {
      throw refuse(shape + "; expected (N,C,H,W), (N,H,W,C), (C,H,W), (N,C,L) or (N,L,C)");
    }
    View.Layout layout = layout(input);
    int skipped = single(input) ? 1 : 0; // there is no N
    int first = layout.channelsLast() ? 1 : 2 - skipped;
    long c = dims.get(layout.channels() - skipped).getDimValue();
    long h = layout.line() ? 1 : dims.get(first).getDimValue();
    long w = dims.get(layout.line() ? first : first + 1).getDimValue();
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
      throw refuse(
              shape
                  + (layout.line()
                      ? ", of any length: say a height of 1 and the length as width"
                      : ", of any size: say its height and width"))
          .about("onnx.input-size");
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

  /** Reads a node; where it is not known, what it makes is not either. */
  private void step(Translator t, Carrying carrying, NodeProto n) {
    if (n.getOutputCount() == 0) {
      throw refuse("node " + describe(n, t::describe) + ": has no output");
    }
    if (QUANTISED.matcher(n.getOpType()).matches()) {
      throw refuse(
          "node "
              + describe(n, Text::name)
              + " is of a quantised network, which is not supported; export the float network from"
              + " before quantisation");
    }
    boolean follows = Carried.reads(n).stream().anyMatch(t::opaque);
    if (follows && carrying.mayEnter(n)) {
      enterable = true;
      follows = !entering || !carrying.enters(n);
    }
    if (!follows) {
      try {
        if (!ours(n) || !Operators.known(n.getOpType())) {
          throw unsupported(n);
        }
        read(t, n);
        return;
      } catch (SecateurException e) {
        if (e.getCause() instanceof Translator.Broken) {
          throw e;
        }
        unknown.add(e);
      }
    }
    for (String i : Carried.reads(n)) {
      if (!t.known(i)) {
        throw refuse(
            "node " + describe(n, t::describe) + ": " + Translator.missing(i).getMessage());
      }
    }
    n.getOutputList().forEach(o -> t.put(o, new Value.Opaque()));
  }

  private void read(Translator t, NodeProto n) {
    try {
      List<String> names = t.builder().names();
      int before = names.size();
      Operators.read(new Step(t, n));
      List<String> tensors = n.getInputList().stream().filter(initializers::containsKey).toList();
      names.subList(before, names.size()).forEach(node -> t.builder().origin(node, tensors));
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
