package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import dev.secateur.SecateurException;
import dev.secateur.io.Half;
import dev.secateur.io.LittleEndian;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** An ONNX graph that is written node by node. */
final class OnnxGraph {
  private final OnnxMl.GraphProto.Builder out;
  private final int opset;
  private final int type;
  private final Map<String, HostTensor> parameters;

  /** Whether images are written without their height, which is 1. */
  private final boolean lines;

  /** Names of tensors, by node, and by node and part. */
  private final Map<String, String> values = new HashMap<>();

  private final Set<String> taken = new HashSet<>();
  private final Set<String> written = new HashSet<>();
  private final boolean unique;

  /** Where parameters lie outside of the file: its name, and what it holds so far. */
  private final Optional<String> dataFile;

  private final List<Outside> data = new ArrayList<>();

  /** Numbers that lie in the data file. */
  private record Outside(String name, HostTensor numbers, int type) {}

  private long dataBytes;

  /**
   * @param opset whose forms of operators are written
   * @param type the data type of parameters and other numbers
   * @param lines whether images are written as (N,C,L)
   * @param unique whether names may meet others of a file that was read
   * @param dataFile where parameters lie outside of the file
   */
  OnnxGraph(
      OnnxMl.GraphProto.Builder out,
      int opset,
      int type,
      Map<String, HostTensor> parameters,
      boolean lines,
      boolean unique,
      Optional<String> dataFile) {
    this.out = out;
    this.opset = opset;
    this.type = type;
    this.parameters = parameters;
    this.lines = lines;
    this.unique = unique;
    this.dataFile = dataFile;
    taken.addAll(parameters.keySet());
  }

  int opset() {
    return opset;
  }

  boolean lines() {
    return lines;
  }

  /** Numbers a height and a width, or of the length alone. */
  long[] spatial(long height, long width) {
    return lines ? new long[] {width} : new long[] {height, width};
  }

  /** What is said of all axes of an image, of which the height may not be there. */
  long[] axes(long... ofFour) {
    return lines ? new long[] {ofFour[0], ofFour[1], ofFour[3]} : ofFour;
  }

  /** Pads as ONNX has them: all at the front, then all behind. */
  long[] pads(long top, long left, long bottom, long right) {
    return lines ? new long[] {left, right} : new long[] {top, left, bottom, right};
  }

  /** The shape of one number a channel, for an image of them. */
  Shape wide(long channels) {
    return lines ? Shape.of(channels, 1) : Shape.of(channels, 1, 1);
  }

  /** Gives a tensor an axis of height 1, or takes it. */
  void height(boolean give, String name, String x, String y) {
    OnnxMl.NodeProto.Builder n = add(give ? "Unsqueeze" : "Squeeze", name, List.of(x), y);
    if (opset < 13) {
      n.addAttribute(ints("axes", 2));
    } else {
      longs(name + ".axes", 2);
      n.addInput(name + ".axes");
    }
  }

  /** Keeps a name from being given to something else. */
  void take(String name) {
    taken.add(name);
  }

  /** A name that nothing has, as near to the wanted one as can be. */
  String free(String wanted) {
    String name = wanted;
    while (!taken.add(name)) {
      name += "_";
    }
    return name;
  }

  /** The tensor that holds a node's result. */
  String value(String node) {
    return values.get(node);
  }

  void value(String node, String tensor) {
    values.put(node, tensor);
  }

  /** Writes what lies in the data file. */
  void writeData(OutputStream to) throws IOException {
    for (Outside o : data) {
      bytes(o.name(), o.numbers(), o.type()).writeTo(to);
    }
  }

  HostTensor parameterOf(String name) {
    return parameters.get(name);
  }

  /** The name of something inside of a node, the same each time it is asked for. */
  String part(String node, String part) {
    return values.computeIfAbsent(
        node + "\0" + part, k -> unique ? free(node + "." + part) : node + "." + part);
  }

  String scalar(String node, String part, float value) {
    String name = part(node, part);
    floats(name, new HostTensor(Shape.of(), new float[] {value}));
    return name;
  }

  List<String> with(List<String> in, String name, boolean bias) {
    List<String> all = new ArrayList<>(in);
    all.add(parameter(name + ".weight"));
    if (bias) {
      all.add(parameter(name + ".bias"));
    }
    return all;
  }

  String parameter(String name) {
    HostTensor t = parameters.get(name);
    floats(name, lines ? Lines.parameter(t) : t);
    return name;
  }

  OnnxMl.NodeProto.Builder add(String type, String name, List<String> in, String output) {
    return out.addNodeBuilder().setOpType(type).setName(name).addAllInput(in).addOutput(output);
  }

  void floats(String name, HostTensor t) {
    floats(name, t, type);
  }

  /** Numbers of a data type of their own. */
  void floats(String name, HostTensor t, int type) {
    if (!written.add(name)) {
      return; // a parameter of several nodes
    }
    TensorProto.Builder p = out.addInitializerBuilder().setName(name).setDataType(type);
    for (long d : t.shape().toArray()) {
      p.addDims(d);
    }
    if (dataFile.isEmpty() || t.data().length < 64) {
      p.setRawData(bytes(name, t, type));
      return;
    }
    long length = (type == TensorProto.DataType.FLOAT_VALUE ? 4L : 2L) * t.data().length;
    p.setDataLocation(TensorProto.DataLocation.EXTERNAL)
        .addExternalData(entry("location", dataFile.get()))
        .addExternalData(entry("offset", Long.toString(dataBytes)))
        .addExternalData(entry("length", Long.toString(length)));
    data.add(new Outside(name, t, type));
    dataBytes += length;
  }

  private static OnnxMl.StringStringEntryProto entry(String key, String value) {
    return OnnxMl.StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  /**
   * @throws SecateurException for a number that the type does not have
   */
  private static ByteString bytes(String name, HostTensor t, int type) {
    float[] values = t.data();
    try (ByteString.Output bytes = ByteString.newOutput(4 * values.length)) {
      if (type == TensorProto.DataType.FLOAT_VALUE) {
        LittleEndian.write(values, bytes);
        return bytes.toByteString();
      }
      for (float v : values) {
        short half = type == TensorProto.DataType.FLOAT16_VALUE ? Half.ofFloat(v) : Half.bfloat(v);
        if (Float.isFinite(v)
            && type == TensorProto.DataType.FLOAT16_VALUE
            && Math.abs(v) >= 65520) {
          throw new SecateurException(
              "parameter " + name + " has " + v + ", more than float16 holds");
        }
        bytes.write(half);
        bytes.write(half >> 8);
      }
      return bytes.toByteString();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
  }

  /** A tensor without elements, for inputs that may not be left out. */
  void nothing(String name) {
    out.addInitializerBuilder()
        .setName(name)
        .setDataType(TensorProto.DataType.FLOAT_VALUE)
        .addDims(0);
  }

  void longs(String name, long... values) {
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

  static OnnxMl.AttributeProto.Builder ints(String name, long... values) {
    OnnxMl.AttributeProto.Builder a = attribute(name, OnnxMl.AttributeProto.AttributeType.INTS);
    for (long v : values) {
      a.addInts(v);
    }
    return a;
  }

  static OnnxMl.AttributeProto.Builder integer(String name, long value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.INT).setI(value);
  }

  static OnnxMl.AttributeProto.Builder number(String name, float value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.FLOAT).setF(value);
  }

  static OnnxMl.AttributeProto.Builder text(String name, String value) {
    return attribute(name, OnnxMl.AttributeProto.AttributeType.STRING)
        .setS(ByteString.copyFromUtf8(value));
  }
}
