package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import java.util.List;
import java.util.Optional;

/** The attributes of an ONNX node. */
record Attributes(OnnxMl.NodeProto node) {

  Optional<OnnxMl.AttributeProto> get(String name) {
    return node.getAttributeList().stream().filter(a -> a.getName().equals(name)).findFirst();
  }

  long integer(String name, long otherwise) {
    return get(name).map(OnnxMl.AttributeProto::getI).orElse(otherwise);
  }

  boolean flag(String name) {
    return integer(name, 0) != 0;
  }

  float number(String name, float otherwise) {
    return get(name).map(OnnxMl.AttributeProto::getF).orElse(otherwise);
  }

  String text(String name, String otherwise) {
    return get(name).map(a -> a.getS().toStringUtf8()).orElse(otherwise);
  }

  Optional<long[]> integers(String name) {
    return get(name).map(a -> a.getIntsList().stream().mapToLong(Long::longValue).toArray());
  }

  /** Axes from the attribute (older opsets) or an input; empty: none given. */
  Optional<long[]> axes(List<Optional<Constant>> in, int input) {
    Optional<long[]> given = integers("axes");
    return given.isPresent() || input >= in.size() ? given : in.get(input).map(Constant::asLongs);
  }

  /** Small whole numbers of at least {@code least}, exactly {@code count} of them. */
  int[] sizes(String name, int count, int least, int otherwise) {
    long[] given = integers(name).orElse(new long[0]);
    int[] out = new int[count];
    if (given.length != 0 && given.length != count) {
      throw new IllegalArgumentException(
          name + " has " + given.length + " numbers; expected " + count);
    }
    for (int i = 0; i < count; i++) {
      long v = given.length == 0 ? otherwise : given[i];
      if (given.length > 0 && (v < least || v > 1 << 24)) {
        throw new IllegalArgumentException(name + " is " + v + "; expected at least " + least);
      }
      out[i] = (int) v;
    }
    return out;
  }
}
