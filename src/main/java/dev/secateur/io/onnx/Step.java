package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import dev.secateur.io.Text;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** One ONNX node on its way into the graph. */
final class Step {
  private final Translator t;
  private final OnnxMl.NodeProto node;
  private final Attributes attributes;

  Step(Translator t, OnnxMl.NodeProto node) {
    this.t = t;
    this.node = node;
    this.attributes = new Attributes(node);
  }

  Translator translator() {
    return t;
  }

  NetworkBuilder builder() {
    return t.builder();
  }

  Attributes attributes() {
    return attributes;
  }

  String type() {
    return node.getOpType();
  }

  int opset() {
    return t.opset();
  }

  boolean has(int input) {
    return input < node.getInputCount() && !node.getInput(input).isEmpty();
  }

  int inputs() {
    return node.getInputCount();
  }

  private String tensor(int input) {
    if (!has(input)) {
      throw new IllegalArgumentException("input " + input + " is missing");
    }
    return node.getInput(input);
  }

  Value value(int input) {
    return t.value(tensor(input));
  }

  Value.Features raw(int input) {
    return t.raw(tensor(input));
  }

  Value.Features features(int input) {
    return t.features(tensor(input));
  }

  Translator.Placed place(int input) {
    return t.place(features(input));
  }

  /**
   * A node in NCHW, or NCL.
   *
   * @throws IllegalArgumentException for features of another layout
   */
  Translator.Placed image(int input) {
    Translator.Placed p = place(input);
    if (p.layout().rank() == 2 || p.layout().channelsLast()) {
      throw new IllegalArgumentException(
          "reads "
              + p.layout()
              + " where "
              + (p.layout().line() ? "(N,C,L)" : "(N,C,H,W)")
              + " is expected");
    }
    return p;
  }

  boolean isConstant(int input) {
    return has(input) && value(input) instanceof Constant;
  }

  Constant constant(int input) {
    if (value(input) instanceof Constant c) {
      return c;
    }
    throw new IllegalArgumentException(
        "input " + Text.name(tensor(input)) + " is computed; only a constant is read there");
  }

  Optional<Constant> optional(int input) {
    return has(input) ? Optional.of(constant(input)) : Optional.empty();
  }

  /** All inputs as constants. */
  Optional<List<Optional<Constant>>> allConstant() {
    List<Optional<Constant>> out = new ArrayList<>();
    for (int i = 0; i < node.getInputCount(); i++) {
      if (!has(i)) {
        out.add(Optional.empty());
      } else if (value(i) instanceof Constant c) {
        out.add(Optional.of(c));
      } else {
        return Optional.empty();
      }
    }
    return Optional.of(out);
  }

  /** Inputs behind the first, as constants; the first stays empty. */
  List<Optional<Constant>> parameters() {
    List<Optional<Constant>> out = new ArrayList<>(List.of(Optional.empty()));
    for (int i = 1; i < node.getInputCount(); i++) {
      out.add(optional(i));
    }
    return out;
  }

  /** Axes from the attribute or an input, counted from the front; empty: none given. */
  Optional<int[]> axes(int input, int rank) {
    return attributes
        .axes(input < inputs() ? parameters() : List.of(), input)
        .map(a -> Arrays.stream(a).mapToInt(v -> Shapes.axis(v, rank)).toArray());
  }

  // ---- results ---------------------------------------------------------------------------------

  /** The node's name, or its output's. */
  String name() {
    return node.getName().isBlank() ? node.getOutput(0) : node.getName();
  }

  /** The name of a layer whose weight is an initializer NAME.weight; else the node's. */
  String name(int weight) {
    String w = tensor(weight);
    String stem = w.endsWith(".weight") ? w.substring(0, w.length() - ".weight".length()) : "";
    return t.isInitializer(w) && !stem.isBlank() && !stem.equals("input") && !builder().has(stem)
        ? stem
        : name();
  }

  int outputs() {
    return node.getOutputCount();
  }

  String output(int i) {
    return node.getOutput(i);
  }

  void put(int output, Value v) {
    t.put(node.getOutput(output), v);
  }

  void put(Value v) {
    put(0, v);
  }

  /** A node whose output is seen as a layout. */
  void put(String node, View.Layout layout) {
    put(t.features(new Translator.Placed(node, layout)));
  }

  /** Emits an operation of one input; the result keeps that input's view. */
  void function(Op op) {
    Value.Features x = features(0);
    String n = builder().add(name(), op, List.of(x.node()));
    put(new Value.Features(n, x.view(), Optional.empty(), true));
  }

  void parameter(String node, String part, HostTensor value) {
    builder().parameter(node, part, value);
  }
}
