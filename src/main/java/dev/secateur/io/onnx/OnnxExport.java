package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.TensorProto;
import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Opaque;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.util.AtomicFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A model as ONNX; nodes and initializers keep their names, metadata_props are the model's
 * metadata.
 *
 * <p>A model of our own: opset 17, any batch, input {@code input}, float (N,C,H,W), raw pixels from
 * 0 to 255: the normalisation is inside. Output {@code logits} (N, classes). A model that was read
 * from ONNX: its opset, its batch, the names of inputs and outputs that it came with, values
 * normalised as it expected them, and (N,H,W,C) where it had that; what of it is {@link Carried}
 * follows the layers as it was.
 */
public final class OnnxExport {
  private static final long LIMIT = 2_000_000_000L;
  private static final int OPSET = 17;

  private final Model model;
  private final Graph graph;
  private final Optional<Carried> carried;
  private final OnnxMl.GraphProto.Builder out = OnnxMl.GraphProto.newBuilder();
  private final OnnxGraph g;
  private final int opset;
  private final int type;
  private final int inputType;
  private final int outputType;
  private final String input;
  private final String output;

  /** The file's images in the order of their channels, where there are several. */
  private final Map<String, Integer> images = new LinkedHashMap<>();

  /** Nodes that only hold what is carried apart from what the network reads. */
  private final Set<String> holders = new HashSet<>();

  private OnnxExport(Model model, OnnxExportOptions options, Optional<String> dataFile) {
    this.model = model;
    this.graph = model.graph();
    Map<String, String> metadata = model.metadata();
    this.carried = Carried.of(metadata);
    this.opset = opset(options);
    this.type = type(options);
    this.outputType = outputType();
    this.inputType = number(OnnxImport.INPUT_TYPE, TensorProto.DataType.FLOAT_VALUE);
    this.g =
        new OnnxGraph(out, opset, type, model.parameters(), Lines.in(model), imported(), dataFile);
    input = metadata.getOrDefault(OnnxImport.INPUT, "input");
    output = metadata.getOrDefault(OnnxImport.OUTPUT, "logits");
    g.take(input);
    g.take(output);
    images();
    images.keySet().forEach(g::take);
    carried.ifPresent(c -> c.names().forEach(g::take));
    if (imported()) {
      Map<String, String> outputs = new HashMap<>();
      carried.ifPresent(c -> outputs.putAll(c.entries()));
      carried.ifPresent(c -> ownOutputs(c, outputs));
      if (carried.isEmpty()) {
        boolean asItIs = head().isEmpty() && type == outputType && asWritten(outputLayout());
        outputs.put(graph.output().name(), asItIs ? output : g.free(output));
      }
      for (Node n : graph.nodes()) {
        String own = outputs.get(n.name());
        g.value(n.name(), own == null ? g.free(n.name()) : own);
      }
    } else {
      // as files of ours always were: the graph's input has a name of its own
      graph.nodes().forEach(n -> g.value(n.name(), n.name()));
      g.value("input", "input.normalised");
    }
  }

  private void images() {
    String several = model.metadata().getOrDefault(OnnxImport.INPUTS, "");
    for (String line : several.lines().toList()) {
      String[] words = line.split(" ", 2);
      if (words.length < 2 || !words[0].matches("\\d{1,6}")) {
        throw new SecateurException("the model's metadata has a broken " + OnnxImport.INPUTS);
      }
      images.put(words[1], Integer.parseInt(words[0]));
    }
  }

  /** Nodes whose result can have the name of an output itself. */
  private void ownOutputs(Carried c, Map<String, String> outputs) {
    for (Carried.Tap t : c.taps()) {
      boolean plain = asWritten(t.layout()) && (t.type() == 0 || t.type() == type);
      boolean headed = head().isPresent() && t.tensor().equals(output);
      String source = source(t.node());
      if (c.outputs().contains(t.tensor())
          && plain
          && !headed
          && !source.equals(graph.input().name())) {
        outputs.putIfAbsent(source, t.tensor());
      }
    }
  }

  /** A node that is written: behind one that only holds a tensor, what it holds. */
  private String source(String node) {
    Node n = graph.node(node);
    boolean holder = n.op() instanceof Identity && graph.consumers(node).isEmpty();
    if (holder) {
      holders.add(node);
    }
    return holder ? source(n.inputs().get(0)) : node;
  }

  private int number(String key, int otherwise) {
    try {
      return Integer.parseInt(model.metadata().getOrDefault(key, "" + otherwise));
    } catch (NumberFormatException e) {
      throw new SecateurException("the model's metadata has a broken " + key, e);
    }
  }

  private int outputType() {
    int own = number(OnnxImport.OUTPUT_TYPE, TensorProto.DataType.FLOAT_VALUE);
    return own == 0 ? TensorProto.DataType.FLOAT_VALUE : own;
  }

  /** The data type of weights and of what layers make. */
  private int type(OnnxExportOptions options) {
    int own = number(OnnxImport.TYPE, TensorProto.DataType.FLOAT_VALUE);
    boolean known =
        own == TensorProto.DataType.FLOAT_VALUE
            || own == TensorProto.DataType.FLOAT16_VALUE
            || own == TensorProto.DataType.BFLOAT16_VALUE;
    if (!known) {
      throw new SecateurException("the model's metadata has a broken " + OnnxImport.TYPE);
    }
    if (options.half() && carried.isPresent() && own != TensorProto.DataType.FLOAT16_VALUE) {
      throw new SecateurException("float16: what is carried along is of another type, which stays")
          .about("onnx.half");
    }
    return options.half() ? TensorProto.DataType.FLOAT16_VALUE : own;
  }

  private int opset(OnnxExportOptions options) {
    int own = number(OnnxImport.OPSET, OPSET);
    int wanted = options.opset().orElse(carried.isPresent() ? own : Math.max(own, 11));
    if (wanted < 9 && carried.isEmpty() || wanted > 24) {
      throw new SecateurException("opset " + wanted + " is not written; expected 9 to 24")
          .about("onnx.opset");
    }
    if (carried.isPresent() && wanted != own) {
      throw new SecateurException(
              "opset " + wanted + ": what is carried along is of opset " + own + ", which stays")
          .about("onnx.opset");
    }
    return wanted;
  }

  private boolean imported() {
    return fromOnnx(model);
  }

  /** Whether a model was read from a file of another program. */
  public static boolean fromOnnx(Model model) {
    return model.metadata().containsKey(OnnxImport.INPUT);
  }

  /** Whether a tensor of the file's is of the order and the axes that the network is written in. */
  private boolean asWritten(View.Layout layout) {
    return layout.rank() == 2 || !layout.channelsLast() && layout.line() == g.lines();
  }

  private View.Layout layout(String key, View.Layout otherwise) {
    String name = model.metadata().get(key);
    try {
      return name == null ? otherwise : View.Layout.valueOf(name);
    } catch (IllegalArgumentException e) {
      throw new SecateurException("the model's metadata has a broken " + key, e);
    }
  }

  /** Whether the file's input is one image, (C,H,W). */
  private boolean alone() {
    return "CHW".equals(model.metadata().get(OnnxImport.LAYOUT));
  }

  private View.Layout inputLayout() {
    return alone() ? View.Layout.NCHW : layout(OnnxImport.LAYOUT, View.Layout.NCHW);
  }

  private View.Layout outputLayout() {
    boolean image = graph.shape(graph.output().name()).rank() == 4;
    return layout(OnnxImport.OUTPUT_LAYOUT, image ? View.Layout.NCHW : View.Layout.FLAT);
  }

  /** Whether the output, of layers alone, is (N,H,W,C). */
  private boolean lastOut() {
    return carried.isEmpty() && lastOut(model);
  }

  /** Whether a model's output is (N,H,W,C) in its files. */
  public static boolean lastOut(Model model) {
    return View.Layout.NHWC.name().equals(model.metadata().get(OnnxImport.OUTPUT_LAYOUT));
  }

  /** An image's extents in the order of a layout. */
  private static Shape ordered(Shape s, View.Layout layout) {
    return switch (layout) {
      case NHWC -> Shape.of(1, s.dim(2), s.dim(3), s.dim(1));
      case NCL -> Shape.of(1, s.dim(1), s.dim(3));
      case NLC -> Shape.of(1, s.dim(3), s.dim(1));
      case NCHW, FLAT -> s;
    };
  }

  private Optional<String> head() {
    return Optional.ofNullable(model.metadata().get(OnnxImport.HEAD));
  }

  private static long bytes(Model model) {
    return model.parameters().values().stream().mapToLong(t -> 4L * t.data().length).sum();
  }

  /** Writes FILE; parameters of more than 2 GB go to FILE.data beside it. */
  public static void write(Model model, Path file, OnnxExportOptions options) {
    write(model, file, options, LIMIT);
  }

  static void write(Model model, Path file, OnnxExportOptions options, long limit) {
    boolean beside = bytes(model) > limit;
    String name = file.getFileName() + ".data";
    OnnxExport e = new OnnxExport(model, options, beside ? Optional.of(name) : Optional.empty());
    OnnxMl.ModelProto proto = e.build(options);
    if (beside) {
      AtomicFile.write(file.resolveSibling(name), e.g::writeData);
    }
    AtomicFile.write(file, proto::writeTo);
  }

  private OnnxMl.ModelProto build(OnnxExportOptions options) {
    out.setName(model.metadata().getOrDefault("architecture", "secateur"));
    boolean read = !graph.consumers(graph.input().name()).stream().allMatch(this::opaque);
    if (read) {
      input(graph.input().name());
    }
    for (Node n : graph.nodes()) {
      boolean packed = carried.isPresent() && joins(n);
      if (!holders.contains(n.name()) && !packed) {
        NodeWriters.write(g, graph, n);
      }
    }
    Optional<String> batch =
        options
            .batch()
            .map(n -> n == 0 ? "N" : n.toString())
            .or(() -> Optional.ofNullable(model.metadata().get(OnnxImport.BATCH)));
    OnnxMl.ModelProto.Builder m =
        OnnxMl.ModelProto.newBuilder()
            .setIrVersion(irVersion())
            .setProducerName("secateur")
            .setProducerVersion(
                Optional.ofNullable(OnnxExport.class.getPackage().getImplementationVersion())
                    .orElse("development"));
    if (carried.isPresent()) {
      rest(carried.get(), m);
    } else {
      headed(g.value(graph.output().name()));
      Shape image = graph.shape(graph.input().name());
      images.forEach(
          (name, channels) ->
              out.addInput(
                  value(name, ordered(image.with(1, channels), inputLayout()), batch, inputType)));
      if (images.isEmpty()) {
        Shape one = Shape.of(image.dim(1), image.dim(2), image.dim(3));
        out.addInput(
            alone() // its first extent is no batch
                ? value(input, one, Optional.of(Long.toString(image.dim(1))), inputType)
                : value(input, ordered(image, inputLayout()), batch, inputType));
      }
      Shape result = ordered(graph.shape(graph.output().name()), outputLayout());
      out.addOutput(value(output, result, batch, outputType));
      m.addOpsetImport(OnnxMl.OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset));
    }
    m.setGraph(out);
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.remove(OnnxImport.CARRIED);
    metadata.put(OnnxImport.PIXELS, imported() ? "values" : "pixels");
    metadata.forEach(
        (k, v) ->
            m.addMetadataProps(OnnxMl.StringStringEntryProto.newBuilder().setKey(k).setValue(v)));
    return m.build();
  }

  /** The first version of the format that has the opset. */
  private int irVersion() {
    int known = opset < 9 ? 3 : opset < 21 ? 8 : opset < 23 ? 10 : 11;
    return carried.map(c -> Math.max(known, (int) c.rest().getIrVersion())).orElse(known);
  }

  /** The network's result, with what was taken off its end, in the type that the output has. */
  private void headed(String result) {
    String last = result;
    View.Layout layout = outputLayout();
    if (carried.isEmpty() && layout.rank() > 2 && layout.line() != g.lines()) {
      last = g.free(output + ".rank");
      g.height(g.lines(), last, result, last);
    }
    if (type != outputType && carried.isEmpty()) {
      String from = last;
      last = head().isPresent() || lastOut() ? g.free(output + ".cast") : output;
      cast(from, outputType, last);
    }
    if (head().isPresent()) {
      String headed = lastOut() ? g.free(output + ".nchw") : output;
      g.add(head().get(), g.free("head"), List.of(last), headed)
          .addAttribute(OnnxGraph.integer("axis", 1));
      last = headed;
    }
    if (lastOut()) {
      g.add("Transpose", g.free(output + ".nhwc"), List.of(last), output)
          .addAttribute(NodeWriters.toLast(false));
    } else if (!last.equals(output)) {
      g.add("Identity", output, List.of(last), output);
    }
  }

  private boolean opaque(Node n) {
    return n.op() instanceof Opaque;
  }

  private void cast(String from, int to, String name) {
    g.add("Cast", name, List.of(from), name).addAttribute(OnnxGraph.integer("to", to));
  }

  // ---- what is carried -------------------------------------------------------------------------

  /** Whether a node only joins what is read from the network, for the network's own output. */
  private static boolean joins(Node n) {
    return n.name().startsWith(OnnxImport.PACKED);
  }

  private void rest(Carried c, OnnxMl.ModelProto.Builder m) {
    Map<String, String> names = new HashMap<>();
    for (Carried.Tap t : c.taps()) {
      String from = g.value(source(t.node()));
      if (t.type() != 0 && t.type() != type) {
        String as = g.free(t.tensor() + ".cast");
        cast(from, t.type(), as);
        from = as;
      }
      boolean isOutput = c.outputs().contains(t.tensor());
      if (head().isPresent() && t.tensor().equals(output)) {
        headed(from);
        from = output;
      } else if (!asWritten(t.layout())) {
        from = turned(t, from, isOutput);
      } else if (isOutput && !from.equals(t.tensor())) {
        g.add("Identity", g.free(t.tensor() + ".output"), List.of(from), t.tensor());
      }
      names.put(t.tensor(), from);
    }
    rest(c, m, names);
  }

  /** A tensor in the order and with the axes that it has in the file. */
  private String turned(Carried.Tap t, String from, boolean isOutput) {
    boolean last = t.layout().channelsLast();
    boolean height = t.layout().line() != g.lines();
    String to = isOutput ? t.tensor() : g.free(t.tensor());
    String at = from;
    if (height) {
      String as = last ? g.free(t.tensor() + ".ncx") : to;
      g.height(g.lines(), g.free(t.tensor() + ".height"), at, as);
      at = as;
    }
    if (last) {
      g.add("Transpose", g.free(t.tensor() + ".last"), List.of(at), to)
          .addAttribute(NodeWriters.toLast(t.layout().line()));
    }
    return to;
  }

  private void rest(Carried c, OnnxMl.ModelProto.Builder m, Map<String, String> names) {
    for (TensorProto t : c.graph().getInitializerList()) {
      String name = g.free(t.getName());
      names.put(t.getName(), name);
      out.addInitializer(t.toBuilder().setName(name));
    }
    Set<String> taken = new HashSet<>();
    out.getNodeList().forEach(n -> taken.add(n.getName()));
    for (OnnxMl.NodeProto n : c.graph().getNodeList()) {
      String own = n.getName();
      while (!own.isEmpty() && !taken.add(own)) {
        own += "_"; // a node that is both: a view of it is a layer, and it is read there too
      }
      out.addNode(Carried.renamed(n, names).toBuilder().setName(own));
    }
    if (!c.entries().isEmpty()) {
      List<OnnxMl.NodeProto> sorted = Carried.sorted(out.getNodeList());
      out.clearNode().addAllNode(sorted);
    }
    out.addAllInput(c.graph().getInputList());
    out.addAllOutput(c.graph().getOutputList());
    m.addAllOpsetImport(c.rest().getOpsetImportList());
  }

  /**
   * @param batch how many images, or a name; empty: any
   */
  private static OnnxMl.ValueInfoProto value(
      String name, Shape shape, Optional<String> batch, int type) {
    OnnxMl.TensorShapeProto.Builder dims = OnnxMl.TensorShapeProto.newBuilder();
    OnnxMl.TensorShapeProto.Dimension.Builder first =
        OnnxMl.TensorShapeProto.Dimension.newBuilder();
    String images = batch.orElse("N");
    if (images.matches("\\d{1,9}")) {
      first.setDimValue(Integer.parseInt(images));
    } else {
      first.setDimParam(images);
    }
    dims.addDim(first);
    for (int i = 1; i < shape.rank(); i++) {
      dims.addDim(OnnxMl.TensorShapeProto.Dimension.newBuilder().setDimValue(shape.dim(i)));
    }
    return OnnxMl.ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            OnnxMl.TypeProto.newBuilder()
                .setTensorType(
                    OnnxMl.TypeProto.Tensor.newBuilder().setElemType(type).setShape(dims)))
        .build();
  }

  /** The file's input, normalised as the network wants it, in the type of the layers. */
  private void input(String name) {
    boolean half =
        inputType == TensorProto.DataType.FLOAT16_VALUE
            || inputType == TensorProto.DataType.BFLOAT16_VALUE;
    int own = half ? inputType : TensorProto.DataType.FLOAT_VALUE;
    String from = input;
    if (!images.isEmpty()) {
      from = g.part(name, "images");
      g.add("Concat", from, List.copyOf(images.keySet()), from)
          .addAttribute(OnnxGraph.integer("axis", 1));
    }
    if (own != inputType) {
      String as = g.part(name, "float");
      cast(from, own, as);
      from = as;
    }
    if (alone()) {
      String batch = g.part(name, "batch");
      String wanted = g.part(name, "batch.shape");
      g.longs(wanted, graph.shape(name).toArray());
      g.add("Reshape", batch, List.of(from, wanted), batch);
      from = batch;
    }
    if (inputLayout().channelsLast()) {
      String nchw = g.part(name, "nchw");
      g.add("Transpose", nchw, List.of(from), nchw)
          .addAttribute(NodeWriters.toFirst(inputLayout().line()));
      from = nchw;
    }
    if (inputLayout().line() && !g.lines()) {
      String image = g.part(name, "image");
      g.height(true, image, from, image);
      from = image;
    }
    String to = own == type ? g.value(name) : g.part(name, "scaled.cast");
    String scaled = scaled(name, from, own, to);
    if (own != type) {
      cast(scaled, type, g.value(name));
    } else if (!scaled.equals(to)) {
      g.value(name, scaled);
    }
  }

  /**
   * @param own the data type of the input here
   * @param to the tensor that takes the result, where there is something to do
   * @return where the result is
   */
  private String scaled(String name, String from, int own, String to) {
    HostTensor mean = model.parameters().get(name + ".mean");
    HostTensor std = model.parameters().get(name + ".std");
    Shape shape = mean.shape();
    Shape all = g.lines() ? Lines.parameter(mean).shape() : shape;
    Shape wide = shape.rank() == 1 ? g.wide(shape.dim(0)) : all;
    if (!imported()) {
      g.floats(name + ".mean", new HostTensor(wide, mean.data()), own);
      g.floats(name + ".std", new HostTensor(wide, std.data()), own);
      String centred = name + ".centred";
      g.add("Sub", centred, List.of(from, name + ".mean"), centred);
      g.add("Div", name + ".normalised", List.of(centred, name + ".std"), to);
      return to;
    }
    // the file's values are (pixel - given mean) / given std
    float[] givenMean = numbers(OnnxImport.MEAN);
    float[] givenStd = numbers(OnnxImport.STD);
    float[] scale = new float[mean.data().length];
    float[] shift = new float[mean.data().length];
    boolean same = true;
    int each = Math.max(1, scale.length / Math.max(1, givenMean.length));
    for (int i = 0; i < scale.length; i++) {
      int c = i / each;
      scale[i] = givenStd[c] / std.data()[i];
      shift[i] = (float) (((double) givenMean[c] - mean.data()[i]) / std.data()[i]);
      same &= scale[i] == 1 && shift[i] == 0;
    }
    if (same) {
      return from;
    }
    String scaled = g.part(name, "scaled");
    g.floats(g.part(name, "scale"), new HostTensor(wide, scale), own);
    g.floats(g.part(name, "shift"), new HostTensor(wide, shift), own);
    g.add("Mul", scaled, List.of(from, g.part(name, "scale")), scaled);
    g.add("Add", g.part(name, "shifted"), List.of(scaled, g.part(name, "shift")), to);
    return to;
  }

  private float[] numbers(String key) {
    String[] words = model.metadata().getOrDefault(key, "").split(",");
    float[] out = new float[words.length];
    try {
      for (int i = 0; i < out.length; i++) {
        out[i] = Float.parseFloat(words[i]);
      }
    } catch (NumberFormatException e) {
      throw new SecateurException("the model's metadata has " + key + " " + Arrays.asList(words));
    }
    return out;
  }
}
