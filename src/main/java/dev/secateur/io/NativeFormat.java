package dev.secateur.io;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The native model file, {@code .sct}: {@link Safetensors} (F32) whose metadata holds the graph
 * ({@link GraphJson}) under {@code secateur.graph} and the format's number under {@code
 * secateur.format}, beside the model's own metadata. src/site/formats.md has it byte by byte.
 */
final class NativeFormat {
  private static final String GRAPH = "secateur.graph";
  private static final String FORMAT = "secateur.format";

  /**
   * The newest format that is read, and the one that is written. It rises when a reader of the
   * earlier one could not read a file or would take it for something else. Files from before
   * formats had numbers are of the first.
   */
  private static final int NEWEST = 1;

  private NativeFormat() {}

  static void write(Model model, OutputStream out) throws IOException {
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.put(FORMAT, Integer.toString(NEWEST));
    metadata.put(GRAPH, GraphJson.write(model.graph()));
    Safetensors.write(model.parameters(), metadata, out);
  }

  /** Plain safetensors: no graph, no normalisation. */
  static void writeParameters(Model model, OutputStream out) throws IOException {
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    String input = model.graph().input().name();
    parameters.remove(input + ".mean");
    parameters.remove(input + ".std");
    Safetensors.write(parameters, model.metadata(), out);
  }

  /**
   * @throws SecateurException naming the file and what is wrong
   */
  static Model load(Path file) throws IOException {
    return Safetensors.read(file, f -> model(f, file));
  }

  private static Model model(Safetensors file, Path path) throws IOException {
    Map<String, String> metadata = file.metadata();
    checkFormat(metadata.remove(FORMAT), path);
    String json = metadata.remove(GRAPH);
    if (json == null) {
      throw new IllegalArgumentException(
          "it holds no graph; parameters alone need an architecture");
    }
    Graph graph = GraphJson.read(json);
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    for (Map.Entry<String, Shape> e : ParameterShapes.of(graph).entrySet()) {
      HostTensor t = file.tensor(e.getKey());
      boolean input = e.getKey().startsWith(graph.input().name() + ".");
      if (!t.shape().equals(e.getValue()) && !input) {
        throw new IllegalArgumentException(
            e.getKey() + " is " + t.shape() + ", expected " + e.getValue());
      }
      parameters.put(e.getKey(), t);
    }
    return new Model(graph, parameters, metadata);
  }

  /**
   * @param format null for a file from before formats had numbers
   */
  private static void checkFormat(String format, Path path) {
    if (format == null) {
      return;
    }
    if (!format.matches("[1-9][0-9]{0,8}")) {
      throw new IllegalArgumentException(
          "its " + FORMAT + " is '" + Text.name(format) + "', expected a whole number");
    }
    if (Integer.parseInt(format) > NEWEST) {
      throw new SecateurException(
          path
              + ": is in format "
              + format
              + ", from a newer Secateur; this one reads formats up to "
              + NEWEST);
    }
  }
}
