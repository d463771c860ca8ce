package dev.secateur.io;

import static com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES;
import static com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
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
import java.util.Comparator;
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
  private static final int LARGEST_HEADER = 32 << 20;

  /** Of one image in one node's output: more is no network but a lie. */
  private static final long LARGEST_OUTPUT = Integer.MAX_VALUE;

  /** Of all nodes together; pruning holds a few numbers for each. */
  private static final long MOST_CHANNELS = 1 << 26;

  private static final ObjectReader HEADER =
      Json.MAPPER
          .readerFor(JsonNode.class)
          .with(FAIL_ON_READING_DUP_TREE_KEY, FAIL_ON_NULL_CREATOR_PROPERTIES);

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
      LittleEndian.write(t.data(), out);
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
    /**
     * @param width bytes of a number, 4 or 2
     */
    float[] floats(long from, int count, int width, Decoder decoder) throws IOException {
      float[] out = new float[count];
      ByteBuffer chunk =
          ByteBuffer.allocate((int) Math.min((long) width * count, 1 << 20))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int done = 0; done < count; ) {
        chunk.clear().limit((int) Math.min(chunk.capacity(), (long) width * (count - done)));
        long at = start + from + (long) width * done;
        while (chunk.hasRemaining() && file.read(chunk, at + chunk.position()) > 0) {}
        if (chunk.hasRemaining()) {
          throw new IllegalArgumentException("it ended while it was read");
        }
        int n = chunk.flip().limit() / width;
        for (int i = 0; i < n; i++) {
          out[done + i] = decoder.decode(chunk, width * i);
        }
        done += n;
      }
      return out;
    }
  }

  /** Reads the number at a place. */
  @FunctionalInterface
  private interface Decoder {
    float decode(ByteBuffer b, int at);
  }

  private static <T> T read(Path file, Reader<T> reader) throws IOException {
    long size = Files.size(file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      InputStream in = Channels.newInputStream(channel);
      byte[] length = in.readNBytes(8);
      long head =
          length.length < 8 ? -1 : ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (head < 2 || head > size - 8 || head > LARGEST_HEADER) {
        throw new SecateurException(
            file
                + ": unknown format; expected a native model file, or a PyTorch state dict or"
                + " safetensors file with --arch");
      }
      JsonNode header = HEADER.readTree(in.readNBytes((int) head));
      Data data = new Data(channel, 8 + head, size - 8 - head);
      separate(header, data);
      return reader.read(header, data);
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": its header is damaged", e);
    } catch (IllegalArgumentException | ArithmeticException e) {
      String why = Text.line(e.getMessage());
      throw new SecateurException(file + ": is not a whole model file (" + why + ")", e);
    } catch (OutOfMemoryError e) {
      throw new SecateurException(
          file + ": too large for Java's memory; set JAVA_OPTS=-Xmx8g, for instance", e);
    }
  }

  /** What a header says of a tensor: its bytes are [from, to). */
  private record Claim(String name, long from, long to) {
    static Claim of(String name, JsonNode t, Data data) {
      JsonNode offsets = t.path("data_offsets");
      long from = offsets.path(0).canConvertToLong() ? offsets.path(0).asLong(-1) : -1;
      long to = offsets.path(1).canConvertToLong() ? offsets.path(1).asLong(-1) : -1;
      if (offsets.size() != 2 || from < 0 || to < from || to > data.size()) {
        throw new IllegalArgumentException(
            Text.name(name)
                + " is missing or lies outside of the file's "
                + data.size()
                + " bytes");
      }
      return new Claim(name, from, to);
    }
  }

  /** No two tensors share bytes: what is read is never more than the file holds. */
  private static void separate(JsonNode header, Data data) {
    List<Claim> claims = new ArrayList<>();
    for (Map.Entry<String, JsonNode> e : header.properties()) {
      if (!e.getKey().equals(METADATA)) {
        claims.add(Claim.of(e.getKey(), e.getValue(), data));
      }
    }
    claims.sort(Comparator.comparingLong(Claim::from).thenComparingLong(Claim::to));
    for (int i = 1; i < claims.size(); i++) {
      if (claims.get(i).from() < claims.get(i - 1).to()) {
        throw new IllegalArgumentException(
            Text.name(claims.get(i).name())
                + " and "
                + Text.name(claims.get(i - 1).name())
                + " overlap");
      }
    }
  }

  /**
   * Every tensor of a safetensors file (F32, F16, BF16), without the counters of batches that
   * PyTorch keeps in I64.
   */
  static Map<String, HostTensor> tensors(Path file) throws IOException {
    return read(
        file,
        (header, data) -> {
          Map<String, HostTensor> out = new LinkedHashMap<>();
          for (Map.Entry<String, JsonNode> e : header.properties()) {
            String name = e.getKey();
            if (!name.equals(METADATA) && !name.endsWith("num_batches_tracked")) {
              out.put(name, tensor(e.getValue(), name, data));
            }
          }
          return out;
        });
  }

  static Model load(Path file) throws IOException {
    return read(file, NativeFormat::model);
  }

  private static Model model(JsonNode header, Data data) throws IOException {
    Graph graph = graph(HEADER.readTree(header.path(METADATA).path(GRAPH).asText()));
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
    Claim claim = Claim.of(name, t, data);
    String type = t.path("dtype").asText();
    Decoder decoder =
        switch (type) {
          case "F32" -> ByteBuffer::getFloat;
          case "F16" -> (b, at) -> Half.toFloat(b.getShort(at));
          case "BF16" -> (b, at) -> Float.intBitsToFloat(b.getShort(at) << 16);
          default ->
              throw new IllegalArgumentException(
                  Text.name(name) + " is " + Text.name(type) + ", expected F32, F16 or BF16");
        };
    int width = type.equals("F32") ? 4 : 2;
    long[] dims = new long[t.path("shape").size()];
    for (int i = 0; i < dims.length; i++) {
      JsonNode d = t.path("shape").path(i);
      dims[i] = d.isIntegralNumber() && d.canConvertToLong() ? d.asLong() : -1;
    }
    try {
      Shape shape = Shape.of(dims);
      if (Math.multiplyExact(shape.elements(), width) == claim.to() - claim.from()) {
        int count = Math.toIntExact(shape.elements());
        return new HostTensor(shape, data.floats(claim.from(), count, width, decoder));
      }
    } catch (IllegalArgumentException | ArithmeticException e) {
      // of no size that a tensor can have: told below
    }
    throw new IllegalArgumentException(
        Text.name(name)
            + " has "
            + (claim.to() - claim.from())
            + " bytes, which do not fit its shape "
            + Text.name(Arrays.toString(dims)));
  }

  private static Graph graph(JsonNode nodes) throws IOException {
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
              .orElseThrow(
                  () -> new IllegalArgumentException("unknown node type " + Text.name(type)));
      List<String> inputs = new ArrayList<>();
      n.path("inputs").forEach(i -> inputs.add(i.asText()));
      Op read = HEADER.forType(op).readValue(n.path("op"));
      if (read == null) {
        throw new IllegalArgumentException("a " + type + " without its numbers");
      }
      out.add(new Node(n.path("name").asText(), read, inputs));
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
}
