package dev.secateur.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The native model file: safetensors (F32) whose {@code __metadata__} holds the graph as JSON under
 * {@code secateur.graph}, beside the model's own metadata.
 */
final class NativeFormat {
  private static final String GRAPH = "secateur.graph";
  private static final String METADATA = "__metadata__";

  private NativeFormat() {}

  static void write(Model model, OutputStream out) throws IOException {
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    metadata.put(GRAPH, graphJson(model.graph()));
    write(model.parameters(), metadata, out);
  }

  /** Plain safetensors: no graph, no normalisation. */
  static void writeParameters(Model model, OutputStream out) throws IOException {
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    String input = model.graph().input().name();
    parameters.remove(input + ".mean");
    parameters.remove(input + ".std");
    write(parameters, model.metadata(), out);
  }

  private static void write(
      Map<String, HostTensor> parameters, Map<String, String> metadata, OutputStream out)
      throws IOException {
    ObjectNode header = Json.MAPPER.createObjectNode();
    ObjectNode metadataJson = header.putObject(METADATA);
    metadata.forEach(metadataJson::put);
    long offset = 0;
    for (Map.Entry<String, HostTensor> e : parameters.entrySet()) {
      ObjectNode t = header.putObject(e.getKey());
      t.put("dtype", "F32");
      ArrayNode shape = t.putArray("shape");
      Arrays.stream(e.getValue().shape().toArray()).forEach(shape::add);
      long bytes = 4L * e.getValue().data().length;
      t.putArray("data_offsets").add(offset).add(offset + bytes);
      offset += bytes;
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (json.length + 7) / 8 * 8;
    byte[] head = Arrays.copyOf(json, padded);
    Arrays.fill(head, json.length, padded, (byte) ' ');
    out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(padded).array());
    out.write(head);
    for (HostTensor t : parameters.values()) {
      ByteBuffer b = ByteBuffer.allocate(4 * t.data().length).order(ByteOrder.LITTLE_ENDIAN);
      b.asFloatBuffer().put(t.data());
      out.write(b.array());
    }
  }

  private static String graphJson(Graph graph) {
    ArrayNode nodes = Json.MAPPER.createArrayNode();
    for (Node n : graph.nodes()) {
      ObjectNode o = nodes.addObject();
      o.put("name", n.name());
      o.put("type", n.op().getClass().getSimpleName());
      o.set("op", Json.MAPPER.valueToTree(n.op()));
      ArrayNode inputs = o.putArray("inputs");
      n.inputs().forEach(inputs::add);
    }
    return nodes.toString();
  }

  /** What is made of a file's header and data. */
  @FunctionalInterface
  private interface Reader<T> {
    T read(JsonNode header, Data data) throws IOException;
  }

  /** The bytes behind the header, read tensor by tensor: there may be more than one array holds. */
  private record Data(FileChannel file, long start, long size) {
    float[] floats(long from, int count) throws IOException {
      float[] out = new float[count];
      ByteBuffer chunk =
          ByteBuffer.allocate((int) Math.min(Math.max(4L * count, 4), 1 << 20))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int done = 0; done < count; ) {
        chunk.clear().limit((int) Math.min(chunk.capacity(), 4L * (count - done)));
        long at = start + from + 4L * done;
        while (chunk.hasRemaining() && file.read(chunk, at + chunk.position()) > 0) {}
        if (chunk.hasRemaining()) {
          throw new IllegalArgumentException("it ended while it was read");
        }
        int n = chunk.flip().limit() / 4;
        chunk.asFloatBuffer().get(out, done, n);
        done += n;
      }
      return out;
    }
  }

  private static <T> T read(Path file, Reader<T> reader) throws IOException {
    long size = Files.size(file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      InputStream in = Channels.newInputStream(channel);
      byte[] length = in.readNBytes(8);
      long head =
          length.length < 8 ? -1 : ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (head < 2 || head > size - 8 || head > 100_000_000) {
        throw new SecateurException(
            file
                + ": unknown format; expected a native model file, or a PyTorch state dict or"
                + " safetensors file with --arch");
      }
      JsonNode header = Json.MAPPER.readTree(in.readNBytes((int) head));
      return reader.read(header, new Data(channel, 8 + head, size - 8 - head));
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": its header is damaged", e);
    } catch (IllegalArgumentException | IndexOutOfBoundsException | ArithmeticException e) {
      throw new SecateurException(file + ": is not a whole model file (" + e.getMessage() + ")", e);
    }
  }

  /** Every tensor of a safetensors file (F32). */
  static Map<String, HostTensor> tensors(Path file) throws IOException {
    return read(
        file,
        (header, data) -> {
          Map<String, HostTensor> out = new LinkedHashMap<>();
          for (Map.Entry<String, JsonNode> e : header.properties()) {
            if (!e.getKey().equals(METADATA)) {
              out.put(e.getKey(), tensor(e.getValue(), e.getKey(), data));
            }
          }
          return out;
        });
  }

  static Model load(Path file) throws IOException {
    return read(file, NativeFormat::model);
  }

  private static Model model(JsonNode header, Data data) throws IOException {
    Graph graph = graph(Json.MAPPER.readTree(header.path(METADATA).path(GRAPH).asText()));
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    for (Map.Entry<String, Shape> e : ParameterShapes.of(graph).entrySet()) {
      HostTensor t = tensor(header.path(e.getKey()), e.getKey(), data);
      boolean input = e.getKey().startsWith(graph.input().name() + ".");
      if (!t.shape().equals(e.getValue()) && !input) {
        throw new IllegalArgumentException(
            e.getKey() + " is " + t.shape() + ", expected " + e.getValue());
      }
      parameters.put(e.getKey(), t);
    }
    Map<String, String> metadata = new LinkedHashMap<>();
    header
        .path(METADATA)
        .fields()
        .forEachRemaining(
            f -> {
              if (!f.getKey().equals(GRAPH)) {
                metadata.put(f.getKey(), f.getValue().asText());
              }
            });
    return new Model(graph, parameters, metadata);
  }

  private static HostTensor tensor(JsonNode t, String name, Data data) throws IOException {
    JsonNode offsets = t.path("data_offsets");
    long from = offsets.path(0).asLong(-1);
    long to = offsets.path(1).asLong(-1);
    if (!t.path("dtype").asText().equals("F32") || from < 0 || to < from || to > data.size()) {
      throw new IllegalArgumentException(name + " is missing, cut off or not F32");
    }
    long[] dims = new long[t.path("shape").size()];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = t.path("shape").get(i).asLong();
    }
    Shape shape = Shape.of(dims);
    if (shape.elements() * 4 != to - from) {
      throw new IllegalArgumentException(name + " has bytes that do not fit " + shape);
    }
    return new HostTensor(shape, data.floats(from, Math.toIntExact(shape.elements())));
  }

  private static Graph graph(JsonNode nodes) throws JsonProcessingException {
    if (!nodes.isArray() || nodes.isEmpty()) {
      throw new IllegalArgumentException("it holds no graph; parameters alone need --arch");
    }
    List<Node> out = new ArrayList<>();
    for (JsonNode n : nodes) {
      String type = n.path("type").asText();
      Class<?> op =
          Arrays.stream(Op.class.getPermittedSubclasses())
              .filter(c -> c.getSimpleName().equals(type))
              .findFirst()
              .orElseThrow(() -> new IllegalArgumentException("unknown node type " + type));
      List<String> inputs = new ArrayList<>();
      n.path("inputs").forEach(i -> inputs.add(i.asText()));
      out.add(
          new Node(
              n.path("name").asText(), (Op) Json.MAPPER.treeToValue(n.path("op"), op), inputs));
    }
    return new Graph(out);
  }
}
