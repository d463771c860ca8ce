package dev.secateur.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.AttributeReader;
import dev.secateur.nn.op.AttributeWriter;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.OpType;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A graph as JSON: an array of {@code {"name", "type", "op": {attributes}, "inputs"}}, and {@code
 * "parameters"} where nodes share them. Names in files are those of {@link OpType}s, so that
 * renaming a class, a record's component or a constant of an enum changes no file.
 * src/site/formats.md lists them.
 */
final class GraphJson {
  /** Of one image in one node's output: more is no network but a lie. */
  private static final long LARGEST_OUTPUT = Integer.MAX_VALUE;

  /** Of all nodes together; pruning holds a few numbers for each. */
  private static final long MOST_CHANNELS = 1 << 26;

  private GraphJson() {}

  static String write(Graph graph) {
    ArrayNode nodes = Json.MAPPER.createArrayNode();
    for (Node n : graph.nodes()) {
      ObjectNode o = nodes.addObject();
      o.put("name", n.name());
      o.put("type", n.op().type().name());
      n.op().type().write(n.op(), new Writer(o.putObject("op")));
      ArrayNode inputs = o.putArray("inputs");
      n.inputs().forEach(inputs::add);
      if (!n.owner().equals(n.name())) {
        o.put("parameters", n.owner());
      }
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
      out.add(new Node(name, op(name, n), inputs, n.path("parameters").asText(name)));
    }
    Graph graph = new Graph(out);
    long channels = 0;
    for (Node n : out) {
      Shape shape = graph.shape(n.name());
      channels += shape.dim(1);
      if (shape.elements() > LARGEST_OUTPUT || channels > MOST_CHANNELS) {
        throw new IllegalArgumentException(n.name() + " of " + shape + " is too large");
      }
      boolean input = n.op() instanceof Input;
      if (input != (n == out.get(0)) || input != n.inputs().isEmpty()) {
        throw new IllegalArgumentException(n.name() + ": one node, the first, reads nothing");
      }
    }
    return graph;
  }

  private static Op op(String name, JsonNode node) {
    String type = node.path("type").asText();
    OpType<?> known =
        Op.Types.ALL.stream()
            .filter(e -> e.name().equals(type))
            .findFirst()
            .orElseThrow(
                () -> new IllegalArgumentException("unknown node type " + Text.name(type)));
    return Attributes.all(Text.name(name), node.path("op"), known.read());
  }

  /** Puts attributes into an object. */
  private record Writer(ObjectNode to) implements AttributeWriter {
    @Override
    public Writer put(String name, int value) {
      to.put(name, value);
      return this;
    }

    @Override
    public Writer put(String name, float value) {
      to.put(name, value);
      return this;
    }

    @Override
    public Writer put(String name, boolean value) {
      to.put(name, value);
      return this;
    }

    @Override
    public Writer put(String name, String value) {
      to.put(name, value);
      return this;
    }

    @Override
    public Writer put(String name, List<Integer> values) {
      values.forEach(to.putArray(name)::add);
      return this;
    }

    @Override
    public Writer object(String name, Consumer<AttributeWriter> fields) {
      fields.accept(new Writer(to.putObject(name)));
      return this;
    }
  }

  /** An object of a file, each of whose fields must be asked for. */
  private static final class Attributes implements AttributeReader {
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
    static <T> T all(String of, JsonNode json, Function<AttributeReader, T> make) {
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

    @Override
    public int whole(String name) {
      JsonNode f = field(name);
      if (!f.isIntegralNumber() || !f.canConvertToInt()) {
        throw wrong(name, "a whole number");
      }
      return f.intValue();
    }

    @Override
    public int whole(String name, int otherwise) {
      return json.has(name) ? whole(name) : otherwise;
    }

    /** Infinite numbers and NaN are strings, as JSON has none. */
    @Override
    public float number(String name) {
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

    @Override
    public boolean flag(String name) {
      JsonNode f = field(name);
      if (!f.isBoolean()) {
        throw wrong(name, "true or false");
      }
      return f.booleanValue();
    }

    @Override
    public List<Integer> wholes(String name) {
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
    @Override
    public <E> E choice(String name, E[] all, Function<E, String> names) {
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

    @Override
    public <T> T object(String name, Function<AttributeReader, T> make) {
      return all(of + "'s " + name, field(name), make);
    }
  }
}
