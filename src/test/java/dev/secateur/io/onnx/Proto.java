package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/** Writes small ONNX files node by node; each node's output is named after it. */
final class Proto {
  private final OnnxMl.GraphProto.Builder graph = OnnxMl.GraphProto.newBuilder().setName("test");
  private final SplittableRandom random = new SplittableRandom(5);
  private final int opset;
  private int count;

  /** With a float input x of (N, dims...). */
  Proto(int opset, long... dims) {
    this.opset = opset;
    graph.addInput(value("x", dims));
  }

  private static OnnxMl.ValueInfoProto value(String name, long... dims) {
    OnnxMl.TensorShapeProto.Builder shape = OnnxMl.TensorShapeProto.newBuilder();
    shape.addDim(OnnxMl.TensorShapeProto.Dimension.newBuilder().setDimParam("N"));
    for (long d : dims) {
      OnnxMl.TensorShapeProto.Dimension.Builder dim =
          OnnxMl.TensorShapeProto.Dimension.newBuilder();
      shape.addDim(d > 0 ? dim.setDimValue(d) : dim.setDimParam("any"));
    }
    OnnxMl.TypeProto.Tensor.Builder tensor = OnnxMl.TypeProto.Tensor.newBuilder().setElemType(1);
    if (dims.length > 0) {
      tensor.setShape(shape);
    }
    return OnnxMl.ValueInfoProto.newBuilder()
        .setName(name)
        .setType(OnnxMl.TypeProto.newBuilder().setTensorType(tensor))
        .build();
  }

  /** The input, without a batch. */
  void single(String name, long... dims) {
    OnnxMl.ValueInfoProto.Builder all = value(name, dims).toBuilder();
    all.getTypeBuilder().getTensorTypeBuilder().getShapeBuilder().removeDim(0);
    graph.clearInput().addInput(all);
  }

  /** One more input. */
  String image(String name, long... dims) {
    graph.addInput(value(name, dims));
    return name;
  }

  String node(String type, Object... inputsThenAttributes) {
    String name = type.toLowerCase(java.util.Locale.ROOT) + count++;
    nodes(type, name, List.of(name), inputsThenAttributes);
    return name;
  }

  /** Strings are inputs; an attribute is "name=" followed by its value. */
  OnnxMl.NodeProto.Builder nodes(
      String type, String name, List<String> outputs, Object... inputsThenAttributes) {
    OnnxMl.NodeProto.Builder n =
        graph.addNodeBuilder().setOpType(type).setName(name).addAllOutput(outputs);
    for (int i = 0; i < inputsThenAttributes.length; i++) {
      String word = (String) inputsThenAttributes[i];
      if (word.endsWith("=")) {
        n.addAttribute(attribute(word.substring(0, word.length() - 1), inputsThenAttributes[++i]));
      } else {
        n.addInput(word);
      }
    }
    return n;
  }

  private static OnnxMl.AttributeProto.Builder attribute(String name, Object v) {
    OnnxMl.AttributeProto.Builder a = OnnxMl.AttributeProto.newBuilder().setName(name);
    if (v instanceof int[] ints) {
      for (int i : ints) {
        a.addInts(i);
      }
      return a.setType(OnnxMl.AttributeProto.AttributeType.INTS);
    }
    if (v instanceof Integer i) {
      return a.setI(i).setType(OnnxMl.AttributeProto.AttributeType.INT);
    }
    if (v instanceof Float f) {
      return a.setF(f).setType(OnnxMl.AttributeProto.AttributeType.FLOAT);
    }
    return a.setS(ByteString.copyFromUtf8((String) v))
        .setType(OnnxMl.AttributeProto.AttributeType.STRING);
  }

  /** A new initializer of numbers from -0.5 to 0.5. */
  String weight(long... dims) {
    String name = "w" + count++;
    OnnxMl.TensorProto.Builder t = graph.addInitializerBuilder().setName(name).setDataType(1);
    long n = 1;
    for (long d : dims) {
      t.addDims(d);
      n *= d;
    }
    for (int i = 0; i < n; i++) {
      t.addFloatData((float) random.nextDouble(-0.5, 0.5));
    }
    return name;
  }

  /** A new initializer of numbers from 0.5 to 1.5. */
  String positive(int n) {
    float[] v = new float[n];
    for (int i = 0; i < n; i++) {
      v[i] = (float) random.nextDouble(0.5, 1.5);
    }
    return floats(v);
  }

  String number(float v) {
    String name = "n" + count++;
    graph.addInitializerBuilder().setName(name).setDataType(1).addFloatData(v);
    return name;
  }

  /** A whole number without dimensions. */
  String scalar(long v) {
    String name = "k" + count++;
    graph.addInitializerBuilder().setName(name).setDataType(7).addInt64Data(v);
    return name;
  }

  String floats(float... v) {
    return tensor(new long[] {v.length}, v);
  }

  String tensor(long[] dims, float... v) {
    String name = "f" + count++;
    OnnxMl.TensorProto.Builder t = graph.addInitializerBuilder().setName(name).setDataType(1);
    for (long d : dims) {
      t.addDims(d);
    }
    for (float f : v) {
      t.addFloatData(f);
    }
    return name;
  }

  String longs(long... v) {
    String name = "i" + count++;
    OnnxMl.TensorProto.Builder t =
        graph.addInitializerBuilder().setName(name).setDataType(7).addDims(v.length);
    for (long l : v) {
      t.addInt64Data(l);
    }
    return name;
  }

  OnnxMl.GraphProto.Builder graph() {
    return graph;
  }

  OnnxMl.ModelProto model(String... outputs) {
    for (String o : outputs) {
      graph.addOutput(value(o));
    }
    return OnnxMl.ModelProto.newBuilder()
        .setIrVersion(8)
        .addOpsetImport(OnnxMl.OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset))
        .setGraph(graph)
        .build();
  }

  Path write(Path file, String... outputs) throws IOException {
    return Files.write(file, model(outputs).toByteArray());
  }
}
