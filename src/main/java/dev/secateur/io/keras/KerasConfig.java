package dev.secateur.io.keras;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

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
   * @param inputs names of layers
   * @param stored where its weights are
   */
  record Layer(String type, String name, JsonNode config, List<String> inputs, Stored stored) {}

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
   * @throws KerasLayers.Unsupported for what is no model of layers called once
   */
  KerasConfig(JsonNode root, String version) {
    String written = version.isEmpty() ? root.path("keras_version").asText("") : version;
    three = written.isEmpty() ? root.has("module") : !written.matches("[12]\\..*");
    if (written.startsWith("1.")) {
      throw new KerasLayers.Unsupported(
          "written by Keras " + written + "; load it with Keras 2 and save it again");
    }
    output = model(root, "", "", "", List.of());
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
   * @param prefix of names, ending in a dot, or empty for the whole model
   * @param group as of {@link Stored}; empty for the whole model
   * @param in what the model is called with; none for the whole model
   * @return the layer that its output comes from
   */
  private String model(JsonNode root, String prefix, String group, String path, List<String> in) {
    String kind = root.path("class_name").asText();
    JsonNode config = root.path("config");
    JsonNode list = config.isArray() ? config : config.path("layers");
    if (!list.isArray() || list.isEmpty() || !isModel(kind)) {
      throw new KerasLayers.Unsupported(
          "expected a Keras Model or Sequential, found \"" + kind + "\"");
    }
    boolean sequential = kind.equals("Sequential");
    Map<String, String> outputs = new LinkedHashMap<>();
    Map<String, Integer> counts = new HashMap<>();
    JsonNode inputs = config.path("input_layers");
    int given = 0;
    String previous = in.isEmpty() ? "" : in.get(0);
    for (JsonNode layer : list) {
      JsonNode c = layer.path("config");
      String type = layer.path("class_name").asText();
      String own = c.path("name").asText(layer.path("name").asText());
      String name = prefix + own;
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
        outputs.put(own, in.get(sequential ? 0 : place(inputs, own, given++, in.size())));
        continue;
      }
      if (sequential && previous.isEmpty() && !input) {
        previous = name + "_input";
        layers.add(new Layer("InputLayer", previous, shaped(layer), List.of(), stored));
      }
      List<String> reads =
          input ? List.of() : sequential ? List.of(previous) : inbound(own, layer, outputs);
      String end = name;
      if (isModel(type)) {
        end = model(layer, name + ".", stored.group(), counted + "/", reads);
      } else {
        String known = operation && !List.of("Add", "Multiply").contains(type) ? "keras.ops " : "";
        layers.add(new Layer(known + type, name, c, reads, stored));
      }
      outputs.put(own, end);
      previous = end;
    }
    String last = sequential ? previous : outputs.get(output(config));
    if (last == null) {
      throw new KerasLayers.Unsupported("its output layer " + output(config) + " is missing");
    }
    return last;
  }

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

  private static String output(JsonNode config) {
    JsonNode out = config.path("output_layers");
    if (out.size() != 1 && !out.path(0).isTextual()) {
      throw new KerasLayers.Unsupported("it has " + out.size() + " outputs; expected one");
    }
    return out.path(0).isTextual() ? out.path(0).asText() : out.path(0).path(0).asText();
  }

  private static List<String> inbound(String name, JsonNode layer, Map<String, String> outputs) {
    JsonNode calls = layer.path("inbound_nodes");
    JsonNode call = calls.path(0);
    if (calls.size() != 1 || !call.isArray() && !call.isObject()) {
      throw new KerasLayers.Unsupported(
          "layer " + name + " is called " + calls.size() + " times; expected once");
    }
    List<String> read = new ArrayList<>();
    if (call.isArray()) {
      call.forEach(one -> read.add(one.path(0).asText()));
    } else {
      for (JsonNode argument : call.path("args")) {
        tensors(name, argument, read);
      }
      for (JsonNode argument : call.path("kwargs")) {
        if (argument.isContainerNode()) {
          tensors(name, argument, read);
        }
      }
    }
    List<String> in = new ArrayList<>();
    for (String one : read) {
      if (!outputs.containsKey(one)) {
        throw new KerasLayers.Unsupported("a layer reads " + one + ", which is not before it");
      }
      in.add(outputs.get(one));
    }
    return in;
  }

  /** Names of the layers whose tensors an argument holds. */
  private static void tensors(String name, JsonNode argument, List<String> read) {
    if (argument.path("class_name").asText().equals("__keras_tensor__")) {
      read.add(argument.path("config").path("keras_history").path(0).asText());
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
