package dev.secateur.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Json;
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
 * The safetensors container: eight bytes of length, a JSON header of names, types, shapes, places
 * and free text, then the numbers (https://github.com/huggingface/safetensors). It knows nothing of
 * networks; {@link NativeFormat} does. F32 is written; F32, F16 and BF16 are read.
 */
final class Safetensors {
  private static final String METADATA = "__metadata__";
  private static final int LARGEST_HEADER = 32 << 20;

  /** Reads trees of files that may lie: a name that an object has twice is refused. */
  static final ObjectReader STRICT =
      Json.MAPPER
          .readerFor(JsonNode.class)
          .with(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY);

  private final JsonNode header;
  private final Data data;

  private Safetensors(JsonNode header, Data data) {
    this.header = header;
    this.data = data;
  }

  static void write(Map<String, HostTensor> tensors, Map<String, String> metadata, OutputStream out)
      throws IOException {
    ObjectNode header = Json.MAPPER.createObjectNode();
    ObjectNode metadataJson = header.putObject(METADATA);
    metadata.forEach(metadataJson::put);
    long offset = 0;
    for (Map.Entry<String, HostTensor> e : tensors.entrySet()) {
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
    for (HostTensor t : tensors.values()) {
      LittleEndian.write(t.data(), out);
    }
  }

  /** What is made of an open file. */
  @FunctionalInterface
  interface Use<T> {
    /**
     * @throws IllegalArgumentException saying what is wrong with the file
     */
    T of(Safetensors file) throws IOException;
  }

  /**
   * Opens a file, checks that its header is whole and that no two tensors share bytes, and hands it
   * over.
   *
   * @throws SecateurException naming the file and what is wrong
   */
  static <T> T read(Path file, Use<T> use) throws IOException {
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
                    + " safetensors file with its architecture")
            .about("model.architecture");
      }
      JsonNode header = STRICT.readTree(in.readNBytes((int) head));
      Data data = new Data(channel, 8 + head, size - 8 - head);
      separate(header, data);
      return use.of(new Safetensors(header, data));
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

  /** Every tensor of a file, without the counters of batches that PyTorch keeps in I64. */
  static Map<String, HostTensor> tensors(Path file) throws IOException {
    return read(file, Safetensors::tensors);
  }

  /** Likewise. */
  Map<String, HostTensor> tensors() throws IOException {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> e : header.properties()) {
      String name = e.getKey();
      if (!name.equals(METADATA) && !name.endsWith("num_batches_tracked")) {
        out.put(name, tensor(name));
      }
    }
    return out;
  }

  /** The file's free text, in its order. */
  Map<String, String> metadata() {
    Map<String, String> out = new LinkedHashMap<>();
    header.path(METADATA).properties().forEach(e -> out.put(e.getKey(), e.getValue().asText()));
    return out;
  }

  /**
   * Reads one tensor.
   *
   * @throws IllegalArgumentException when it is missing, of another type, or lies about its size
   */
  HostTensor tensor(String name) throws IOException {
    JsonNode t = header.path(name);
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
}
