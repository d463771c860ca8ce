package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.io.LittleEndian;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.util.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A model as ONNX, opset 17; N is dynamic, nodes and initializers keep their names, metadata_props
 * are the model's metadata.
 *
 * <p>A model of our own: input {@code input}, float (N,C,H,W), raw pixels from 0 to 255: the
 * normalisation is inside. Output {@code logits} (N, classes). A model that was read from ONNX: the
 * names of input and output that it came with, values normalised as it expected them, and (N,H,W,C)
 * where it had that.
 */
public final class OnnxExport {
  private static final long LIMIT = 2_000_000_000L;

  private final Model model;
  private final Graph graph;
  private final OnnxMl.GraphProto.Builder out = OnnxMl.GraphProto.newBuilder();
  private final Map<String, String> values = new HashMap<>();
  private final Set<String> taken = new HashSet<>();
  private final String input;
  private final String output;

  /** Where parameters lie outside of the file: its name, and what it holds so far. */
  private final Optional<String> dataFile;

  private final List<HostTensor> data = new ArrayList<>();
  private long dataBytes;

  private OnnxExport(Model model, Optional<String> dataFile) {
    this.model = model;
    this.graph = model.graph();
    this.dataFile = dataFile;
    Map<String, String> metadata = model.metadata();
    input = metadata.getOrDefault(OnnxImport.INPUT, "input");
    output = metadata.getOrDefault(OnnxImport.OUTPUT, "logits");
    taken.addAll(model.parameters().keySet());
    taken.add(input);
    taken.add(output);
    if (imported()) {
      graph.nodes().forEach(n -> values.put(n.name(), n == graph.output() ? "" : free(n.name())));
      values.put(graph.output().name(), head().isPresent() ? free(output) : output);
    } else {
      // as files of ours always were: the graph's input has a name of its own
      graph.nodes().forEach(n -> values.put(n.name(), n.name()));
      values.put("input", "input.normalised");
    }
  }

  private boolean imported() {
    return model.metadata().containsKey(OnnxImport.INPUT);
  }

  private boolean channelsLast() {
    return "NHWC".equals(model.metadata().get(OnnxImport.LAYOUT));
  }

  private Optional<String> head() {
    return Optional.ofNullable(model.metadata().get(OnnxImport.HEAD));
  }

  private String free(String wanted) {
    String name = wanted;
    while (!taken.add(name)) {
      name += "_";
    }
    return name;
  }

  private static long bytes(Model model) {
    return model.parameters().values().stream().mapToLong(t -> 4L * t.data().length).sum();
  }

  /** Writes FILE; parameters of more than 2 GB go to FILE.data beside it. */
  public static void write(Model model, Path file) {
    write(model, file, LIMIT);
  }

  static void write(Model model, Path file, long limit) {
    boolean beside = bytes(model) > limit;
    String name = file.getFileName() + ".data";
    OnnxExport e = new OnnxExport(model, beside ? Optional.of(name) : Optional.empty());
    OnnxMl.ModelProto proto = e.build();
    if (beside) {
      AtomicFile.write(
          file.resolveSibling(name),
          to -> {
            for (HostTensor t : e.data) {
              LittleEndian.write(t.data(), to);
            }
          });
    }
    AtomicFile.write(file, proto::writeTo);
  }

  private OnnxMl.ModelProto build() {
    out.setName(model.metadata().getOrDefault("architecture", "secateur"));
    graph.nodes().forEach(this::emit);
    String last = values.get(graph.output().name());
    if (head().isPresent()) {
      add(head().get(), free("head"), List.of(last), output).addAttribute(integer("axis", 1));
    } else if (!last.equals(output)) {
      add("Identity", output, List.of(last), output);
    }
    Shape image = graph.shape(graph.input().name());
    out.addInput(
        value(
            input, channelsLast() ? Shape.of(1, image.dim(2), image.dim(3), image.dim(1)) : image));
    out.addOutput(value(output, graph.shape(graph.output().name())));
    String version =
        Optional.ofNullable(OnnxExport.class.getPackage().getImplementationVersion())
            .orElse("development");
    OnnxMl.ModelProto.Builder m =
        OnnxMl.ModelProto.newBuilder()
            .setIrVersion(8)
            .setProducerName("secateur")
            .setProducerVersion(version)
            .addOpsetImport(OnnxMl.OperatorSetIdProto.newBuilder().setDomain("").setVersion(17))
            .setGraph(out);
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.put(OnnxImport.PIXELS, imported() ? "values" : "pixels");
    metadata.forEach(
        (k, v) ->
            m.addMetadataProps(OnnxMl.StringStringEntryProto.newBuilder().setKey(k).setValue(v)));
    return m.build();
  }

  private static OnnxMl.ValueInfoProto value(String name, Shape shape) {
    OnnxMl.TensorShapeProto.Builder dims = OnnxMl.TensorShapeProto.newBuilder();
    dims.addDim(OnnxMl.TensorShapeProto.Dimension.newBuilder().setDimParam("N"));
    for (int i = 1; i < shape.rank(); i++) {
      dims.addDim(OnnxMl.TensorShapeProto.Dimension.newBuilder().setDimValue(shape.dim(i)));
    }
    return OnnxMl.ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            OnnxMl.TypeProto.newBuilder()
                .setTensorType(
                    OnnxMl.TypeProto.Tensor.newBuilder()
                        .setElemType(TensorProto.DataType.FLOAT_VALUE)
                        .setShape(dims)))
        .build();
  }

  private void emit(Node n) {
    Op op = n.op();
    String name = n.name();
    List<String> in = n.inputs().stream().map(values::get).toList();
    String y = values.get(name);
    if (op instanceof Input) {
      input(name);
    } else if (op instanceof Convolution c) {
      add("Conv", name, with(in, name, c.bias()), y)
          .addAllAttribute(convolution(c.kernelH(), c.kernelW(), c.spec()));
    } else if (op instanceof TransposedConvolution c) {
      add("ConvTranspose", name, with(in, name, c.bias()), y)
          .addAllAttribute(convolution(c.kernelH(), c.kernelW(), c.spec()))
          .addAttribute(ints("output_padding", c.extraH(), c.extraW()));
    } else if (op instanceof BatchNorm b) {
      List<String> all = new ArrayList<>(in);
      for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
        all.add(parameter(name + part));
      }
      OnnxMl.NodeProto.Builder node =
          add("BatchNormalization", name, all, y).addAttribute(number("epsilon", b.eps()));
      if (Math.abs(b.momentum() - 0.1f) > 1e-6f) {
        node.addAttribute(number("momentum", 1 - b.momentum()));
      }
    } else if (op instanceof LayerNorm l) {
      layerNorm(n, l, in.get(0), y);
    } else if (op instanceof Activate a) {
      activation(name, a.activation(), in.get(0), y);
    } else if (op instanceof Elementwise e) {
      elementwise(name, e.spec(), in.get(0), y);
    } else if (op instanceof Softmax) {
      add("Softmax", name, in, y).addAttribute(integer("axis", 1));
    } else if (op instanceof Pool p) {
      PoolSpec s = p.spec();
      OnnxMl.NodeProto.Builder node =
          add(poolName(s.kind()), name, in, y)
              .addAttribute(ints("kernel_shape", s.kernelH(), s.kernelW()))
              .addAttribute(ints("strides", s.strideH(), s.strideW()))
              .addAttribute(ints("pads", s.padTop(), s.padLeft(), s.padBottom(), s.padRight()));
      if (s.kind() == PoolSpec.Kind.AVERAGE_INCLUDE_PADDING) {
        node.addAttribute(integer("count_include_pad", 1));
      }
    } else if (op instanceof GlobalPool g) {
      add("Global" + poolName(g.kind()), name, in, y);
    } else if (op instanceof Add) {
      add("Add", name, in, y);
    } else if (op instanceof Multiply) {
      add("Mul", name, in, y);
    } else if (op instanceof Concat) {
      add("Concat", name, in, y).addAttribute(integer("axis", 1));
    } else if (op instanceof SelectChannels s) {
      String which = part(name, "channels");
      longs(which, s.channels().stream().mapToLong(Integer::longValue).toArray());
      add("Gather", name, List.of(in.get(0), which), y).addAttribute(integer("axis", 1));
    } else if (op instanceof Pad p) {
      String pads = part(name, "pads");
      longs(pads, 0, 0, p.top(), p.left(), 0, 0, p.bottom(), p.right());
      add("Pad", name, List.of(in.get(0), pads, scalar(name, "value", p.value())), y);
    } else if (op instanceof Resize r) {
      resize(name, r.spec(), in.get(0), y);
    } else if (op instanceof Shortcut s) {
      shortcut(name, s, in.get(0), y);
    } else if (op instanceof Flatten) {
      add("Flatten", name, in, y).addAttribute(integer("axis", 1));
    } else if (op instanceof Linear l) {
      add("Gemm", name, with(in, name, l.bias()), y).addAttribute(integer("transB", 1));
    } else if (op instanceof Identity) {
      add("Identity", name, in, y);
    } else {
      throw new IllegalStateException("no ONNX for " + op);
    }
  }

  private static List<OnnxMl.AttributeProto> convolution(int h, int w, ConvolutionSpec s) {
    return List.of(
        ints("kernel_shape", h, w).build(),
        ints("strides", s.strideH(), s.strideW()).build(),
        ints("dilations", s.dilationH(), s.dilationW()).build(),
        ints("pads", s.padTop(), s.padLeft(), s.padBottom(), s.padRight()).build(),
        integer("group", s.groups()).build());
  }

  private void layerNorm(Node n, LayerNorm l, String x, String y) {
    String name = n.name();
    boolean image = graph.shape(name).rank() == 4;
    String from = image ? part(name, "nhwc") : x;
    String to = image ? part(name, "normalised") : y;
    if (image) {
      add("Transpose", from, List.of(x), from).addAttribute(ints("perm", 0, 2, 3, 1));
    }
    add("LayerNormalization", name, with(List.of(from), name, true), to)
        .addAttribute(integer("axis", -1))
        .addAttribute(number("epsilon", l.eps()));
    if (image) {
      add("Transpose", part(name, "nchw"), List.of(to), y).addAttribute(ints("perm", 0, 3, 1, 2));
    }
  }

  private static String poolName(PoolSpec.Kind kind) {
    return switch (kind) {
      case MAX -> "MaxPool";
      case AVERAGE, AVERAGE_INCLUDE_PADDING -> "AveragePool";
    };
  }

  /** The node that makes y; a switch expression, so that a forgotten kind does not compile. */
  private OnnxMl.NodeProto.Builder activation(String name, Activation a, String x, String y) {
    return switch (a) {
      case NONE -> add("Identity", name, List.of(x), y);
      case RELU -> add("Relu", name, List.of(x), y);
      case RELU6 -> clip(name, x, 0, 6, y);
    };
  }

  /** Likewise. */
  private OnnxMl.NodeProto.Builder elementwise(String name, ElementwiseSpec s, String x, String y) {
    List<String> in = List.of(x);
    return switch (s.kind()) {
      case LEAKY_RELU -> add("LeakyRelu", name, in, y).addAttribute(number("alpha", s.alpha()));
      case ELU -> add("Elu", name, in, y).addAttribute(number("alpha", s.alpha()));
      case CLIP -> clip(name, x, s.alpha(), s.beta(), y);
      case SIGMOID -> add("Sigmoid", name, in, y);
      case HARD_SIGMOID ->
          add("HardSigmoid", name, in, y)
              .addAttribute(number("alpha", s.alpha()))
              .addAttribute(number("beta", s.beta()));
      case HARD_SWISH -> add("HardSwish", name, in, y);
      case TANH -> add("Tanh", name, in, y);
      case SILU -> {
        String gate = part(name, "sigmoid");
        add("Sigmoid", gate, in, gate);
        yield add("Mul", name, List.of(x, gate), y);
      }
      case GELU -> {
        String scaled = part(name, "scaled");
        String erf = part(name, "erf");
        String plus = part(name, "plus");
        String product = part(name, "product");
        add("Mul", scaled, List.of(x, scalar(name, "rsqrt2", (float) Math.sqrt(0.5))), scaled);
        add("Erf", erf, List.of(scaled), erf);
        add("Add", plus, List.of(erf, scalar(name, "one", 1)), plus);
        add("Mul", product, List.of(x, plus), product);
        yield add("Mul", name, List.of(product, scalar(name, "half", 0.5f)), y);
      }
    };
  }

  private OnnxMl.NodeProto.Builder clip(String name, String x, float low, float high, String y) {
    return add("Clip", name, List.of(x, scalar(name, "min", low), scalar(name, "max", high)), y);
  }

  /** By sizes, not scales, which would be rounded; the batch is taken from the input. */
  private void resize(String name, ResizeSpec s, String x, String y) {
    String shape = part(name, "shape");
    String images = part(name, "images");
    String sizes = part(name, "sizes");
    String range = part(name, "range");
    String end = part(name, "end");
    String size = part(name, "size");
    longs(range, 0);
    longs(end, 2);
    longs(size, s.height(), s.width());
    add("Shape", shape, List.of(x), shape);
    add("Slice", images, List.of(shape, range, end), images);
    add("Concat", sizes, List.of(images, size), sizes).addAttribute(integer("axis", 0));
    OnnxMl.NodeProto.Builder node = add("Resize", name, List.of(x, "", "", sizes), y);
    node.addAttribute(
        text(
            "mode",
            switch (s.mode()) {
              case NEAREST -> "nearest";
              case BILINEAR -> "linear";
            }));
    node.addAttribute(
        text(
            "coordinate_transformation_mode",
            switch (s.coordinates()) {
              case ASYMMETRIC -> "asymmetric";
              case HALF_PIXEL -> "half_pixel";
              case ALIGN_CORNERS -> "align_corners";
            }));
    if (s.mode() == ResizeSpec.Mode.NEAREST) {
      node.addAttribute(text("nearest_mode", "floor"));
    }
  }

  private void shortcut(String name, Shortcut s, String x, String y) {
    longs(part(name, "starts"), 0, 0);
    longs(part(name, "ends"), Long.MAX_VALUE, Long.MAX_VALUE);
    longs(part(name, "axes"), 2, 3);
    longs(part(name, "steps"), s.stride(), s.stride());
    longs(part(name, "pads"), 0, s.before(), 0, 0, 0, s.after(), 0, 0);
    List<String> slice = new ArrayList<>(List.of(x));
    for (String p : List.of("starts", "ends", "axes", "steps")) {
      slice.add(part(name, p));
    }
    String sliced = part(name, "slice");
    add("Slice", sliced, slice, sliced);
    add("Pad", name, List.of(sliced, part(name, "pads")), y);
  }

  private void input(String name) {
    HostTensor mean = model.parameters().get(name + ".mean");
    HostTensor std = model.parameters().get(name + ".std");
    Shape shape = mean.shape();
    Shape wide = shape.rank() == 1 ? Shape.of(shape.dim(0), 1, 1) : shape;
    if (!imported()) {
      floats(name + ".mean", new HostTensor(wide, mean.data()));
      floats(name + ".std", new HostTensor(wide, std.data()));
      String centred = name + ".centred";
      add("Sub", centred, List.of("input", name + ".mean"), centred);
      add("Div", name + ".normalised", List.of(centred, name + ".std"), values.get(name));
      return;
    }
    String from = input;
    if (channelsLast()) {
      from = part(name, "nchw");
      add("Transpose", from, List.of(input), from).addAttribute(ints("perm", 0, 3, 1, 2));
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
      values.put(name, from);
      return;
    }
    String scaled = part(name, "scaled");
    floats(part(name, "scale"), new HostTensor(wide, scale));
    floats(part(name, "shift"), new HostTensor(wide, shift));
    add("Mul", scaled, List.of(from, part(name, "scale")), scaled);
    add("Add", part(name, "shifted"), List.of(scaled, part(name, "shift")), values.get(name));
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

  /** The name of something inside of a node, the same each time it is asked for. */
  private String part(String node, String part) {
    return values.computeIfAbsent(
        node + "\0" + part, k -> imported() ? free(node + "." + part) : node + "." + part);
  }

  private String scalar(String node, String part, float value) {
    String name = part(node, part);
    floats(name, new HostTensor(Shape.of(), new float[] {value}));
    return name;
  }

  private List<String> with(List<String> in, String name, boolean bias) {
    List<String> all = new ArrayList<>(in);
    all.add(parameter(name + ".weight"));
    if (bias) {
      all.add(parameter(name + ".bias"));
    }
    return all;
  }

  private String parameter(String name) {
    floats(name, model.parameters().get(name));
    return name;
  }

  private OnnxMl.NodeProto.Builder add(String type, String name, List<String> in, String output) {
    return out.addNodeBuilder().setOpType(type).setName(name).addAllInput(in).addOutput(output);
  }

  private void floats(String name, HostTensor t) {
    TensorProto.Builder p =
        out.addInitializerBuilder().setName(name).setDataType(TensorProto.DataType.FLOAT_VALUE);
    for (long d : t.shape().toArray()) {
      p.addDims(d);
    }
    if (dataFile.isEmpty() || t.data().length < 64) {
      p.setRawData(raw(t.data()));
      return;
    }
    long length = 4L * t.data().length;
    p.setDataLocation(TensorProto.DataLocation.EXTERNAL)
        .addExternalData(entry("location", dataFile.get()))
        .addExternalData(entry("offset", Long.toString(dataBytes)))
        .addExternalData(entry("length", Long.toString(length)));
    data.add(t);
    dataBytes += length;
  }

  private static OnnxMl.StringStringEntryProto entry(String key, String value) {
    return OnnxMl.StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  private static ByteString raw(float[] values) {
    try (ByteString.Output bytes = ByteString.newOutput(4 * values.length)) {
      LittleEndian.write(values, bytes);
      return bytes.toByteString();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
  }

  private void longs(String name, long... values) {
    TensorProto.Builder p =
        out.addInitializerBuilder()
            .setName(name)
            .setDataType(TensorProto.DataType.INT64_VALUE)
            .addDims(values.length);
    for (long v : values) {
      p.addInt64Data(v);
    }
  }

  private static OnnxMl.AttributeProto.Builder attribute(
      String name, OnnxMl.AttributeProto.AttributeType type) {
    return OnnxMl.AttributeProto.newBuilder().setName(name).setType(type);
  }

  private static OnnxMl.AttributeProto.Builder ints(String name, long... values) {
    OnnxMl.AttributeProto.Builder a = attribute(name, OnnxMl.AttributeProto.AttributeType.INTS);
    for (long v : values) {
      a.addInts(v);
    }
    return a;
  }

  private static OnnxMl.AttributeProto.Builder integer(String name, long value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.INT).setI(value);
  }

  private static OnnxMl.AttributeProto.Builder number(String name, float value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.FLOAT).setF(value);
  }

  private static OnnxMl.AttributeProto.Builder text(String name, String value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.STRING)
        .setS(ByteString.copyFromUtf8(value));
  }
}
