package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import com.google.protobuf.ByteString;
import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A model as ONNX, opset 17. Input {@code input}, float (N,C,H,W), raw pixels from 0 to 255: the
 * normalisation is inside. Output {@code logits} (N, classes). N is dynamic. Nodes and initializers
 * keep their names.
 */
public final class OnnxExport {
  private static final long LIMIT = 2_000_000_000L;
  private final Model model;
  private final Graph graph;
  private final OnnxMl.GraphProto.Builder out = OnnxMl.GraphProto.newBuilder();

  private OnnxExport(Model model) {
    this.model = model;
    this.graph = model.graph();
  }

  /**
   * @throws SecateurException for a model of more than 2 GB, which one ONNX file cannot hold
   */
  public static OnnxMl.ModelProto export(Model model) {
    long bytes = model.parameters().values().stream().mapToLong(t -> 4L * t.data().length).sum();
    if (bytes > LIMIT) {
      throw new SecateurException("the model has " + bytes + " bytes; ONNX holds at most 2 GB");
    }
    return new OnnxExport(model).build();
  }

  private OnnxMl.ModelProto build() {
    out.setName(model.metadata().getOrDefault("architecture", "secateur"));
    graph.nodes().forEach(this::emit);
    add("Identity", "logits", List.of(graph.output().name()), "logits");
    out.addInput(value("input", graph.shape(graph.input().name())));
    out.addOutput(value("logits", graph.shape(graph.output().name())));
    OnnxMl.ModelProto.Builder m =
        OnnxMl.ModelProto.newBuilder()
            .setIrVersion(8)
            .setProducerName("secateur")
            .addOpsetImport(OnnxMl.OperatorSetIdProto.newBuilder().setDomain("").setVersion(17))
            .setGraph(out);
    model
        .metadata()
        .forEach(
            (k, v) ->
                m.addMetadataProps(
                    OnnxMl.StringStringEntryProto.newBuilder().setKey(k).setValue(v)));
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
                        .setElemType(OnnxMl.TensorProto.DataType.FLOAT_VALUE)
                        .setShape(dims)))
        .build();
  }

  private void emit(Node n) {
    Op op = n.op();
    String name = n.name();
    List<String> in = n.inputs();
    if (op instanceof Op.Input) {
      input(name);
    } else if (op instanceof Op.Convolution c) {
      ConvolutionSpec s = c.spec();
      add("Conv", name, with(in, parameter(name + ".weight"), c.bias() ? name + ".bias" : ""), name)
          .addAttribute(ints("kernel_shape", c.kernelH(), c.kernelW()))
          .addAttribute(ints("strides", s.strideH(), s.strideW()))
          .addAttribute(ints("dilations", s.dilationH(), s.dilationW()))
          .addAttribute(ints("pads", s.padTop(), s.padLeft(), s.padBottom(), s.padRight()))
          .addAttribute(integer("group", s.groups()));
    } else if (op instanceof Op.BatchNorm b) {
      List<String> all = new ArrayList<>(in);
      for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
        all.add(parameter(name + part));
      }
      add("BatchNormalization", name, all, name)
          .addAttribute(
              OnnxMl.AttributeProto.newBuilder()
                  .setName("epsilon")
                  .setType(OnnxMl.AttributeProto.AttributeType.FLOAT)
                  .setF(b.eps()));
    } else if (op instanceof Op.Activate a) {
      activation(name, in, a.activation());
    } else if (op instanceof Op.Pool p) {
      PoolSpec s = p.spec();
      OnnxMl.NodeProto.Builder node =
          add(s.kind() == PoolSpec.Kind.MAX ? "MaxPool" : "AveragePool", name, in, name)
              .addAttribute(ints("kernel_shape", s.kernelH(), s.kernelW()))
              .addAttribute(ints("strides", s.strideH(), s.strideW()))
              .addAttribute(ints("pads", s.padTop(), s.padLeft(), s.padBottom(), s.padRight()));
      if (s.kind() == PoolSpec.Kind.AVERAGE_INCLUDE_PADDING) {
        node.addAttribute(integer("count_include_pad", 1));
      }
    } else if (op instanceof Op.GlobalPool g) {
      boolean max = g.kind() == PoolSpec.Kind.MAX;
      add(max ? "GlobalMaxPool" : "GlobalAveragePool", name, in, name);
    } else if (op instanceof Op.Add) {
      add("Add", name, in, name);
    } else if (op instanceof Op.Concat) {
      add("Concat", name, in, name).addAttribute(integer("axis", 1));
    } else if (op instanceof Op.Shortcut s) {
      longs(name + ".starts", 0, 0);
      longs(name + ".ends", Long.MAX_VALUE, Long.MAX_VALUE);
      longs(name + ".axes", 2, 3);
      longs(name + ".steps", s.stride(), s.stride());
      longs(name + ".pads", 0, s.before(), 0, 0, 0, s.after(), 0, 0);
      List<String> slice = new ArrayList<>(in);
      for (String part : List.of(".starts", ".ends", ".axes", ".steps")) {
        slice.add(name + part);
      }
      add("Slice", name + ".slice", slice, name + ".slice");
      add("Pad", name, List.of(name + ".slice", name + ".pads"), name);
    } else if (op instanceof Op.Flatten) {
      add("Flatten", name, in, name).addAttribute(integer("axis", 1));
    } else if (op instanceof Op.Linear l) {
      add("Gemm", name, with(in, parameter(name + ".weight"), l.bias() ? name + ".bias" : ""), name)
          .addAttribute(integer("transB", 1));
    } else if (op instanceof Op.Identity) {
      add("Identity", name, in, name);
    } else {
      throw new IllegalStateException("no ONNX for " + op);
    }
  }

  private void input(String name) {
    HostTensor mean = model.parameters().get(name + ".mean");
    HostTensor std = model.parameters().get(name + ".std");
    Shape shape = mean.shape();
    Shape wide = shape.rank() == 1 ? Shape.of(shape.dim(0), 1, 1) : shape;
    floats(name + ".mean", new HostTensor(wide, mean.data()));
    floats(name + ".std", new HostTensor(wide, std.data()));
    // the graph's input has a name of its own
    String centred = name + ".centred";
    add("Sub", centred, List.of("input", name + ".mean"), centred);
    add("Div", name + ".normalised", List.of(centred, name + ".std"), rename(name));
  }

  private void activation(String name, List<String> in, Activation a) {
    switch (a) {
      case NONE -> add("Identity", name, in, name);
      case RELU -> add("Relu", name, in, name);
      case RELU6 -> {
        floats(name + ".min", new HostTensor(Shape.of(), new float[] {0}));
        floats(name + ".max", new HostTensor(Shape.of(), new float[] {6}));
        add("Clip", name, List.of(in.get(0), name + ".min", name + ".max"), name);
      }
    }
  }

  private List<String> with(List<String> in, String weight, String bias) {
    List<String> all = new ArrayList<>(in);
    all.add(weight);
    if (!bias.isEmpty()) {
      all.add(parameter(bias));
    }
    return all;
  }

  private String parameter(String name) {
    floats(name, model.parameters().get(name));
    return name;
  }

  /** A value's name in the file: "input" is taken by the graph's own input. */
  private static String rename(String value) {
    return value.equals("input") ? "input.normalised" : value;
  }

  private OnnxMl.NodeProto.Builder add(String type, String name, List<String> in, String output) {
    OnnxMl.NodeProto.Builder n = out.addNodeBuilder().setOpType(type).setName(name);
    boolean first = name.equals(graph.input().name() + ".centred");
    in.forEach(i -> n.addInput(first ? i : rename(i)));
    return n.addOutput(output);
  }

  private void floats(String name, HostTensor t) {
    ByteBuffer b = ByteBuffer.allocate(4 * t.data().length).order(ByteOrder.LITTLE_ENDIAN);
    b.asFloatBuffer().put(t.data());
    OnnxMl.TensorProto.Builder p =
        out.addInitializerBuilder()
            .setName(name)
            .setDataType(OnnxMl.TensorProto.DataType.FLOAT_VALUE)
            .setRawData(ByteString.copyFrom(b.array()));
    for (long d : t.shape().toArray()) {
      p.addDims(d);
    }
  }

  private void longs(String name, long... values) {
    OnnxMl.TensorProto.Builder p =
        out.addInitializerBuilder()
            .setName(name)
            .setDataType(OnnxMl.TensorProto.DataType.INT64_VALUE)
            .addDims(values.length);
    for (long v : values) {
      p.addInt64Data(v);
    }
  }

  private static OnnxMl.AttributeProto.Builder ints(String name, long... values) {
    OnnxMl.AttributeProto.Builder a =
        OnnxMl.AttributeProto.newBuilder()
            .setName(name)
            .setType(OnnxMl.AttributeProto.AttributeType.INTS);
    for (long v : values) {
      a.addInts(v);
    }
    return a;
  }

  private static OnnxMl.AttributeProto.Builder integer(String name, long value) {
    return OnnxMl.AttributeProto.newBuilder()
        .setName(name)
        .setType(OnnxMl.AttributeProto.AttributeType.INT)
        .setI(value);
  }
}
