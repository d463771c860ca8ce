package dev.secateur.io.keras;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The layers of a Keras configuration in the order of their calls, whichever version wrote it.
 * Models inside of models are taken apart: their layers are named OUTER.INNER.
 *
 * <p>Keras 2 writes what a layer reads as lists of [layer, call, output], Keras 3 as the arguments
 * of its call, with tensors in them (keras/src/models/functional.py, {@code serialize_node}).
 */
final class KerasConfig {
  /** Settings that Keras 2 renamed. */
  private static final List<String> KERAS_1 =
      List.of("nb_filter", "border_mode", "dim_ordering", "subsample", "output_dim", "nb_row");

  /**
   * One call.
   *
   * @param name of this call
   * @param first that of the layer's first call, or the same
   * @param inputs names of layers
   * @param stored where its weights are
   */
  record Layer(
      String type,
      String name,
      String first,
      JsonNode config,
      List<String> inputs,
      Stored stored) {}

  /**
   * Names that a layer's weights have in files.
   *
   * @param group the layer of the whole model that this one is in, or itself
   * @param own its own name
   * @param inner whether it is in a model inside of the whole one
   * @param path by kinds of layers, as Keras 3 counts them: {@code layers/conv2d_1}
   */
  record Stored(String group, String own, boolean inner, String path) {}

  private final List<Layer> layers = new ArrayList<>();
  private final String output;
  private final boolean three;

  /**
   * @param version that wrote it; empty where it is not known
   * @throws KerasLayers.Unsupported for what is no model of layers
   */
  KerasConfig(JsonNode root, String version) {
    String written = version.isEmpty() ? root.path("keras_version").asText("") : version;
    three = written.isEmpty() ? root.has("module") : !written.matches("[12]\\..*");
    if (written.startsWith("1.")) {
      throw new KerasLayers.Unsupported(
          "written by Keras " + written + "; load it with Keras 2 and save it again");
    }
    output = model(root, new Names("", ""), "", "", List.of());
  }

  List<Layer> layers() {
    return layers;
  }

  /** The layer whose output is the model's. */
  String output() {
    return output;
  }

  /** Whether Keras 3 wrote it, whose hard sigmoid is another function. */
  boolean three() {
    return three;
  }

  private static boolean isModel(String kind) {
    return List.of("Model", "Functional", "Sequential").contains(kind);
  }

  /**
   * Adds a model's layers.
   *
   * @param at of names, ending in a dot, or empty for the whole model
   * @param group as of {@link Stored}; empty for the whole model
   * @param in what the model is called with; none for the whole model
   * @return the layer that its output comes from
   */
  private String model(JsonNode root, Names at, String group, String path, List<String> in) {
    String kind = root.path("class_name").asText();
    JsonNode config = root.path("config");
    JsonNode list = config.isArray() ? config : config.path("layers");
    if (!list.isArray() || list.isEmpty() || !isModel(kind)) {
      throw new KerasLayers.Unsupported(
          "expected a Keras Model or Sequential, found \"" + kind + "\"");
    }
    boolean sequential = kind.equals("Sequential");
    Map<String, List<String>> outputs = new LinkedHashMap<>();
    List<Call> open = new ArrayList<>();
    Map<String, Integer> counts = new HashMap<>();
    JsonNode inputs = config.path("input_layers");
    int given = 0;
    String previous = in.isEmpty() ? "" : in.get(0);
    for (JsonNode layer : list) {
      JsonNode c = layer.path("config");
      String type = layer.path("class_name").asText();
      String own = c.path("name").asText(layer.path("name").asText());
      boolean operation = layer.path("module").asText().contains(".ops.");
      first(own, c);
      boolean input = type.equals("InputLayer");
      String counted = "";
      if (!operation && !(sequential && input)) {
        int n = counts.merge(snakeCase(type), 1, Integer::sum) - 1;
        counted = path + "layers/" + snakeCase(type) + (n > 0 ? "_" + n : "");
      }
      boolean inner = !group.isEmpty();
      Stored stored = new Stored(inner ? group : own, own, inner, counted);
      if (input && !in.isEmpty()) {
        outputs.put(own, List.of(in.get(sequential ? 0 : place(inputs, own, given++, in.size()))));
        continue;
      }
      if (sequential && previous.isEmpty() && !input) {
        previous = at.name() + own + "_input";
        layers.add(
            new Layer(
                "InputLayer",
                previous,
                at.first() + own + "_input",
                shaped(layer),
                List.of(),
                stored));
      }
      int times = sequential || input ? 1 : calls(own, layer);
      for (int k = 0; k < times; k++) {
        Call call = new Call(layer, own, k, times, stored);
        if (input) {
          outputs.put(own, List.of(call(call, at, List.of())));
          previous = outputs.get(own).get(0);
        } else if (sequential) {
          previous = call(call, at, List.of(previous));
        } else {
          open.add(call);
        }
      }
    }
    connect(open, at, outputs);
    String last = sequential ? previous : output(config, outputs);
    if (last == null) {
      throw new KerasLayers.Unsupported("its output layer " + output(config) + " is missing");
    }
    return last;
  }

  /** Adds calls of layers as soon as what they read is there, a layer's in their order. */
  private void connect(List<Call> open, Names at, Map<String, List<String>> outputs) {
    Map<String, Integer> times = new HashMap<>();
    outputs.keySet().forEach(o -> times.put(o, 1));
    open.forEach(c -> times.put(c.own(), c.times()));
    List<Call> left = open;
    while (!left.isEmpty()) {
      List<Call> later = new ArrayList<>();
      for (Call c : left) {
        List<String> done = outputs.computeIfAbsent(c.own(), o -> new ArrayList<>());
        Optional<List<String>> reads = reads(c, times, outputs);
        if (done.size() == c.number() && reads.isPresent()) {
          done.add(call(c, at, reads.get()));
        } else {
          later.add(c);
        }
      }
      if (later.size() == left.size()) {
        throw new KerasLayers.Unsupported(
            "a layer reads " + missing(left.get(0), times, outputs) + ", which is not before it");
      }
      left = later;
    }
  }

  /**
   * Adds what a layer does in one of its calls.
   *
   * @return the layer that its output comes from
   */
  private String call(Call c, Names at, List<String> reads) {
    String type = c.layer().path("class_name").asText();
    boolean operation = c.layer().path("module").asText().contains(".ops.");
    Names own = at.inside(c.own(), c.number());
    if (isModel(type)) {
      Names inside = new Names(own.name() + ".", own.first() + ".");
      return model(c.layer(), inside, c.stored().group(), c.stored().path() + "/", reads);
    }
    String known = operation && !List.of("Add", "Multiply").contains(type) ? "keras.ops " : "";
    layers.add(
        new Layer(
            known + type, own.name(), own.first(), c.layer().path("config"), reads, c.stored()));
    return own.name();
  }

  /**
   * Names inside of a model begin with these.
   *
   * @param first in the model's first call
   */
  private record Names(String name, String first) {
    Names inside(String own, int call) {
      return new Names(name + own + (call == 0 ? "" : ".call" + (call + 1)), first + own);
    }
  }

  /** One of the times that a layer is called. */
  private record Call(JsonNode layer, String own, int number, int times, Stored stored) {}

  private static void first(String name, JsonNode config) {
    for (String setting : KERAS_1) {
      if (config.has(setting)) {
        throw new KerasLayers.Unsupported(
            "written by Keras 1 (layer "
                + name
                + " has "
                + setting
                + "); load it with Keras 2 and save it again");
      }
    }
  }

  /** The configuration that tells the shape of a sequential model's input. */
  private static JsonNode shaped(JsonNode layer) {
    JsonNode c = layer.path("config");
    JsonNode inner = c.isArray() ? c : c.path("layers");
    return inner.isArray() && !inner.isEmpty() ? shaped(inner.path(0)) : c;
  }

  /** Which of a call's arguments an input layer stands for. */
  private static int place(JsonNode inputs, String name, int otherwise, int size) {
    int at = otherwise;
    for (int i = 0; i < inputs.size(); i++) {
      if (inputs.path(i).path(0).asText().equals(name)) {
        at = i;
      }
    }
    if (at >= size) {
      throw new KerasLayers.Unsupported("input " + name + " of an inner model is given nothing");
    }
    return at;
  }

  /** Where a functional model's output comes from; null where it is missing. */
  private static String output(JsonNode config, Map<String, List<String>> outputs) {
    JsonNode out = config.path("output_layers");
    int call = out.path(0).isTextual() ? out.path(1).asInt() : out.path(0).path(1).asInt();
    List<String> of = outputs.getOrDefault(output(config), List.of());
    return of.isEmpty() ? null : of.get(of.size() > call && call >= 0 ? call : of.size() - 1);
  }

  private static String output(JsonNode config) {
    JsonNode out = config.path("output_layers");
    if (out.size() != 1 && !out.path(0).isTextual()) {
      throw new KerasLayers.Unsupported("it has " + out.size() + " outputs; expected one");
    }
    return out.path(0).isTextual() ? out.path(0).asText() : out.path(0).path(0).asText();
  }

  /** How often a layer is called. */
  private static int calls(String name, JsonNode layer) {
    JsonNode calls = layer.path("inbound_nodes");
    boolean known = !calls.isEmpty();
    for (JsonNode call : calls) {
      known &= call.isObject() || call.isArray() && !call.isEmpty();
    }
    if (!known) {
      throw new KerasLayers.Unsupported(
          "layer "
              + name
              + " is called "
              + calls.size()
              + " times; expected calls with outputs of layers");
    }
    return calls.size();
  }

  /** What a call reads: the names of layers, and in which of their calls. */
  private static List<Source> sources(Call c) {
    JsonNode call = c.layer().path("inbound_nodes").path(c.number());
    List<Source> read = new ArrayList<>();
    if (call.isArray()) {
      call.forEach(one -> read.add(new Source(one.path(0).asText(), one.path(1).asInt())));
    } else {
      for (JsonNode argument : call.path("args")) {
        tensors(c.own(), argument, read);
      }
      for (JsonNode argument : call.path("kwargs")) {
        if (argument.isContainerNode()) {
          tensors(c.own(), argument, read);
        }
      }
    }
    return read;
  }

  private record Source(String layer, int call) {
    /** The layer that it comes from; a layer that is called once has but one. */
    Optional<String> in(Map<String, Integer> times, Map<String, List<String>> outputs) {
      int at = times.getOrDefault(layer, 0) > 1 ? call : 0;
      List<String> done = outputs.getOrDefault(layer, List.of());
      return at >= 0 && at < done.size() ? Optional.of(done.get(at)) : Optional.empty();
    }
  }

  private static Optional<List<String>> reads(
      Call c, Map<String, Integer> times, Map<String, List<String>> outputs) {
    List<String> out = new ArrayList<>();
    for (Source s : sources(c)) {
      Optional<String> from = s.in(times, outputs);
      if (from.isEmpty()) {
        return Optional.empty();
      }
      out.add(from.get());
    }
    return Optional.of(out);
  }

  private static String missing(
      Call c, Map<String, Integer> times, Map<String, List<String>> outputs) {
    return sources(c).stream()
        .filter(s -> s.in(times, outputs).isEmpty())
        .map(Source::layer)
        .findFirst()
        .orElse(c.own());
  }

  /** Names of the layers whose tensors an argument holds. */
  private static void tensors(String name, JsonNode argument, List<Source> read) {
    if (argument.path("class_name").asText().equals("__keras_tensor__")) {
      JsonNode history = argument.path("config").path("keras_history");
      read.add(new Source(history.path(0).asText(), history.path(1).asInt()));
    } else if (argument.isArray()) {
      argument.forEach(one -> tensors(name, one, read));
    } else if (!argument.isNull()) {
      throw new KerasLayers.Unsupported(
          "layer " + name + " is called with " + argument + "; expected outputs of layers");
    }
  }

  /** As Keras names objects by their class (keras/src/utils/naming.py). */
  static String snakeCase(String type) {
    return type.replaceAll("\\W+", "")
        .replaceAll("(.)([A-Z][a-z]+)", "$1_$2")
        .replaceAll("([a-z])([A-Z])", "$1_$2")
        .toLowerCase(Locale.ROOT);
  }
}
