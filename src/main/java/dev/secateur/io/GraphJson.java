package dev.secateur.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * A graph as JSON: an array of {@code {"name", "type", "op": {attributes}, "inputs"}}. Every name
 * that a file has is written here, so that renaming a class, a record's component or a constant of
 * an enum changes no file. src/site/formats.md lists them.
 */
final class GraphJson {
  /** Of one image in one node's output: more is no network but a lie. */
  private static final long LARGEST_OUTPUT = Integer.MAX_VALUE;

  /** Of all nodes together; pruning holds a few numbers for each. */
  private static final long MOST_CHANNELS = 1 << 26;

  /**
   * One kind of operation.
   *
   * @param name in files
   * @param type its class
   * @param write puts its attributes
   * @param read makes it of its attributes
   */
  private record Entry<T extends Op>(
      String name, Class<T> type, BiConsumer<T, ObjectNode> write, Function<Attributes, T> read) {
    void write(Op op, ObjectNode to) {
      write.accept(type.cast(op), to);
    }
  }

  private static final List<Entry<?>> OPS =
      List.of(
          new Entry<>(
              "Input",
              Op.Input.class,
              (op, to) ->
                  to.put("channels", op.channels())
                      .put("height", op.height())
                      .put("width", op.width()),
              a -> new Op.Input(a.whole("channels"), a.whole("height"), a.whole("width"))),
          new Entry<>(
              "Convolution",
              Op.Convolution.class,
              (op, to) -> {
                to.put("outChannels", op.outChannels());
                to.put("kernelH", op.kernelH()).put("kernelW", op.kernelW());
                convolution(op.spec(), to.putObject("spec"));
                to.put("bias", op.bias());
              },
              a ->
                  new Op.Convolution(
                      a.whole("outChannels"),
                      a.whole("kernelH"),
                      a.whole("kernelW"),
                      a.object("spec", GraphJson::convolution),
                      a.flag("bias"))),
          new Entry<>(
              "TransposedConvolution",
              Op.TransposedConvolution.class,
              (op, to) -> {
                to.put("outChannels", op.outChannels());
                to.put("kernelH", op.kernelH()).put("kernelW", op.kernelW());
                convolution(op.spec(), to.putObject("spec"));
                to.put("extraH", op.extraH()).put("extraW", op.extraW());
                to.put("bias", op.bias());
              },
              a ->
                  new Op.TransposedConvolution(
                      a.whole("outChannels"),
                      a.whole("kernelH"),
                      a.whole("kernelW"),
                      a.object("spec", GraphJson::convolution),
                      a.whole("extraH"),
                      a.whole("extraW"),
                      a.flag("bias"))),
          new Entry<>(
              "Linear",
              Op.Linear.class,
              (op, to) -> to.put("outFeatures", op.outFeatures()).put("bias", op.bias()),
              a -> new Op.Linear(a.whole("outFeatures"), a.flag("bias"))),
          new Entry<>(
              "BatchNorm",
              Op.BatchNorm.class,
              (op, to) -> to.put("eps", op.eps()).put("momentum", op.momentum()),
              a -> new Op.BatchNorm(a.number("eps"), a.number("momentum"))),
          new Entry<>(
              "LayerNorm",
              Op.LayerNorm.class,
              (op, to) -> to.put("eps", op.eps()),
              a -> new Op.LayerNorm(a.number("eps"))),
          new Entry<>(
              "Activate",
              Op.Activate.class,
              (op, to) -> to.put("activation", name(op.activation())),
              a -> new Op.Activate(a.choice("activation", Activation.values(), GraphJson::name))),
          new Entry<>(
              "Elementwise",
              Op.Elementwise.class,
              (op, to) ->
                  to.putObject("spec")
                      .put("kind", name(op.spec().kind()))
                      .put("alpha", op.spec().alpha())
                      .put("beta", op.spec().beta()),
              a ->
                  new Op.Elementwise(
                      a.object(
                          "spec",
                          s ->
                              new ElementwiseSpec(
                                  s.choice("kind", ElementwiseSpec.Kind.values(), GraphJson::name),
                                  s.number("alpha"),
                                  s.number("beta"))))),
          new Entry<>("Softmax", Op.Softmax.class, (op, to) -> {}, a -> new Op.Softmax()),
          new Entry<>(
              "Pool",
              Op.Pool.class,
              (op, to) -> pool(op.spec(), to.putObject("spec")),
              a -> new Op.Pool(a.object("spec", GraphJson::pool))),
          new Entry<>(
              "GlobalPool",
              Op.GlobalPool.class,
              (op, to) -> to.put("kind", name(op.kind())),
              a -> new Op.GlobalPool(a.choice("kind", PoolSpec.Kind.values(), GraphJson::name))),
          new Entry<>("Add", Op.Add.class, (op, to) -> {}, a -> new Op.Add()),
          new Entry<>("Multiply", Op.Multiply.class, (op, to) -> {}, a -> new Op.Multiply()),
          new Entry<>("Concat", Op.Concat.class, (op, to) -> {}, a -> new Op.Concat()),
          new Entry<>(
              "SelectChannels",
              Op.SelectChannels.class,
              (op, to) -> op.channels().forEach(to.putArray("channels")::add),
              a -> new Op.SelectChannels(a.wholes("channels"))),
          new Entry<>(
              "Pad",
              Op.Pad.class,
              (op, to) ->
                  to.put("top", op.top())
                      .put("left", op.left())
                      .put("bottom", op.bottom())
                      .put("right", op.right())
                      .put("value", op.value()),
              a ->
                  new Op.Pad(
                      a.whole("top"),
                      a.whole("left"),
                      a.whole("bottom"),
                      a.whole("right"),
                      a.number("value"))),
          new Entry<>(
              "Resize",
              Op.Resize.class,
              (op, to) ->
                  to.putObject("spec")
                      .put("height", op.spec().height())
                      .put("width", op.spec().width())
                      .put("mode", name(op.spec().mode()))
                      .put("coordinates", name(op.spec().coordinates())),
              a ->
                  new Op.Resize(
                      a.object(
                          "spec",
                          s ->
                              new ResizeSpec(
                                  s.whole("height"),
                                  s.whole("width"),
                                  s.choice("mode", ResizeSpec.Mode.values(), GraphJson::name),
                                  s.choice(
                                      "coordinates",
                                      ResizeSpec.Coordinates.values(),
                                      GraphJson::name))))),
          new Entry<>(
              "Shortcut",
              Op.Shortcut.class,
              (op, to) ->
                  to.put("stride", op.stride()).put("before", op.before()).put("after", op.after()),
              a -> new Op.Shortcut(a.whole("stride"), a.whole("before"), a.whole("after"))),
          new Entry<>("Flatten", Op.Flatten.class, (op, to) -> {}, a -> new Op.Flatten()),
          new Entry<>("Identity", Op.Identity.class, (op, to) -> {}, a -> new Op.Identity()));

  static {
    Set<Class<?>> known = new HashSet<>();
    OPS.forEach(e -> known.add(e.type()));
    for (Class<?> op : Op.class.getPermittedSubclasses()) {
      if (!known.contains(op)) {
        throw new IllegalStateException("no name in files for " + op);
      }
    }
  }

  private GraphJson() {}

  private static void convolution(ConvolutionSpec s, ObjectNode to) {
    to.put("strideH", s.strideH()).put("strideW", s.strideW());
    to.put("padTop", s.padTop()).put("padLeft", s.padLeft());
    to.put("padBottom", s.padBottom()).put("padRight", s.padRight());
    to.put("dilationH", s.dilationH()).put("dilationW", s.dilationW());
    to.put("groups", s.groups());
  }

  private static ConvolutionSpec convolution(Attributes a) {
    return new ConvolutionSpec(
        a.whole("strideH"),
        a.whole("strideW"),
        a.whole("padTop"),
        a.whole("padLeft"),
        a.whole("padBottom"),
        a.whole("padRight"),
        a.whole("dilationH"),
        a.whole("dilationW"),
        a.whole("groups"));
  }

  private static void pool(PoolSpec s, ObjectNode to) {
    to.put("kind", name(s.kind()));
    to.put("kernelH", s.kernelH()).put("kernelW", s.kernelW());
    to.put("strideH", s.strideH()).put("strideW", s.strideW());
    to.put("padTop", s.padTop()).put("padLeft", s.padLeft());
    to.put("padBottom", s.padBottom()).put("padRight", s.padRight());
  }

  private static PoolSpec pool(Attributes a) {
    return new PoolSpec(
        a.choice("kind", PoolSpec.Kind.values(), GraphJson::name),
        a.whole("kernelH"),
        a.whole("kernelW"),
        a.whole("strideH"),
        a.whole("strideW"),
        a.whole("padTop"),
        a.whole("padLeft"),
        a.whole("padBottom"),
        a.whole("padRight"));
  }

  private static String name(Activation a) {
    return switch (a) {
      case NONE -> "NONE";
      case RELU -> "RELU";
      case RELU6 -> "RELU6";
    };
  }

  private static String name(ElementwiseSpec.Kind k) {
    return switch (k) {
      case LEAKY_RELU -> "LEAKY_RELU";
      case ELU -> "ELU";
      case CLIP -> "CLIP";
      case SIGMOID -> "SIGMOID";
      case HARD_SIGMOID -> "HARD_SIGMOID";
      case HARD_SWISH -> "HARD_SWISH";
      case SILU -> "SILU";
      case GELU -> "GELU";
      case TANH -> "TANH";
    };
  }

  private static String name(PoolSpec.Kind k) {
    return switch (k) {
      case MAX -> "MAX";
      case AVERAGE -> "AVERAGE";
      case AVERAGE_INCLUDE_PADDING -> "AVERAGE_INCLUDE_PADDING";
    };
  }

  private static String name(ResizeSpec.Mode m) {
    return switch (m) {
      case NEAREST -> "NEAREST";
      case BILINEAR -> "BILINEAR";
    };
  }

  private static String name(ResizeSpec.Coordinates c) {
    return switch (c) {
      case ASYMMETRIC -> "ASYMMETRIC";
      case HALF_PIXEL -> "HALF_PIXEL";
      case ALIGN_CORNERS -> "ALIGN_CORNERS";
    };
  }

  /** The name of an operation in files. */
  static String name(Op op) {
    return entry(op).name();
  }

  private static Entry<?> entry(Op op) {
    return OPS.stream().filter(e -> e.type().isInstance(op)).findFirst().orElseThrow();
  }

  static String write(Graph graph) {
    ArrayNode nodes = Json.MAPPER.createArrayNode();
    for (Node n : graph.nodes()) {
      ObjectNode o = nodes.addObject();
      o.put("name", n.name());
      o.put("type", name(n.op()));
      entry(n.op()).write(n.op(), o.putObject("op"));
      ArrayNode inputs = o.putArray("inputs");
      n.inputs().forEach(inputs::add);
    }
    return nodes.toString();
  }

  /**
   * @throws IllegalArgumentException saying what is wrong with it
   */
  static Graph read(String json) throws IOException {
    JsonNode nodes = Safetensors.STRICT.readTree(json);
    if (!nodes.isArray() || nodes.isEmpty()) {
      throw new IllegalArgumentException(
          "it holds no graph; parameters alone need an architecture");
    }
    List<Node> out = new ArrayList<>();
    for (JsonNode n : nodes) {
      List<String> inputs = new ArrayList<>();
      n.path("inputs").forEach(i -> inputs.add(i.asText()));
      String name = n.path("name").asText();
      out.add(new Node(name, op(name, n), inputs));
    }
    Graph graph = new Graph(out);
    long channels = 0;
    for (Node n : out) {
      Shape shape = graph.shape(n.name());
      channels += shape.dim(1);
      if (shape.elements() > LARGEST_OUTPUT || channels > MOST_CHANNELS) {
        throw new IllegalArgumentException(n.name() + " of " + shape + " is too large");
      }
      boolean input = n.op() instanceof Op.Input;
      if (input != (n == out.get(0)) || input != n.inputs().isEmpty()) {
        throw new IllegalArgumentException(n.name() + ": one node, the first, reads nothing");
      }
    }
    return graph;
  }

  private static Op op(String name, JsonNode node) {
    String type = node.path("type").asText();
    Entry<?> entry =
        OPS.stream()
            .filter(e -> e.name().equals(type))
            .findFirst()
            .orElseThrow(
                () -> new IllegalArgumentException("unknown node type " + Text.name(type)));
    return Attributes.all(Text.name(name), node.path("op"), entry.read());
  }

  /** An object of a file, each of whose fields must be asked for. */
  private static final class Attributes {
    private final String of;
    private final JsonNode json;
    private final Set<String> asked = new HashSet<>();

    private Attributes(String of, JsonNode json) {
      this.of = of;
      this.json = json;
    }

    /**
     * Makes something of an object.
     *
     * @param of what the object belongs to, for messages
     * @throws IllegalArgumentException when a field is missing, of another type, or left over
     */
    static <T> T all(String of, JsonNode json, Function<Attributes, T> make) {
      if (!json.isObject()) {
        throw new IllegalArgumentException(of + " lacks its attributes");
      }
      Attributes a = new Attributes(of, json);
      T made = make.apply(a);
      json.fieldNames()
          .forEachRemaining(
              f -> {
                if (!a.asked.contains(f)) {
                  throw new IllegalArgumentException(of + ": unknown attribute " + Text.name(f));
                }
              });
      return made;
    }

    private JsonNode field(String name) {
      asked.add(name);
      return json.path(name);
    }

    private IllegalArgumentException wrong(String name, String expected) {
      return new IllegalArgumentException(
          of
              + ": "
              + name
              + " is "
              + (json.has(name) ? Text.name(json.get(name).toString()) : "missing")
              + ", expected "
              + expected);
    }

    int whole(String name) {
      JsonNode f = field(name);
      if (!f.isIntegralNumber() || !f.canConvertToInt()) {
        throw wrong(name, "a whole number");
      }
      return f.intValue();
    }

    /** Infinite numbers and NaN are strings, as JSON has none. */
    float number(String name) {
      JsonNode f = field(name);
      if (f.isNumber()) {
        return (float) f.doubleValue();
      }
      return switch (f.isTextual() ? f.textValue() : "") {
        case "Infinity" -> Float.POSITIVE_INFINITY;
        case "-Infinity" -> Float.NEGATIVE_INFINITY;
        case "NaN" -> Float.NaN;
        default -> throw wrong(name, "a number");
      };
    }

    boolean flag(String name) {
      JsonNode f = field(name);
      if (!f.isBoolean()) {
        throw wrong(name, "true or false");
      }
      return f.booleanValue();
    }

    List<Integer> wholes(String name) {
      JsonNode f = field(name);
      List<Integer> out = new ArrayList<>();
      for (JsonNode v : f) {
        if (!v.isIntegralNumber() || !v.canConvertToInt()) {
          throw wrong(name, "whole numbers");
        }
        out.add(v.intValue());
      }
      if (!f.isArray()) {
        throw wrong(name, "whole numbers");
      }
      return out;
    }

    /** One of {@code all}, which are written as {@code names} says. */
    <E> E choice(String name, E[] all, Function<E, String> names) {
      JsonNode f = field(name);
      for (E e : all) {
        if (f.isTextual() && f.textValue().equals(names.apply(e))) {
          return e;
        }
      }
      List<String> expected = new ArrayList<>();
      for (E e : all) {
        expected.add(names.apply(e));
      }
      throw wrong(name, "one of " + String.join(", ", expected));
    }

    <T> T object(String name, Function<Attributes, T> make) {
      return all(of + "'s " + name, field(name), make);
    }
  }
}
