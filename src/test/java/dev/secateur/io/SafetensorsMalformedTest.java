package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Scope;
import dev.secateur.tensor.HostTensor;
import dev.secateur.util.Json;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged and lying safetensors, plain and our own, are refused in one line, cheaply. */
class SafetensorsMalformedTest {
  private static final Model SMALL = Architectures.create("resnet8", 10, 3, 32, 1);
  private static final long[] NUMBERS = {
    -1, 0, 1, 2, 3, 7, 64, 1 << 20, Integer.MAX_VALUE, 1L << 31, 1L << 60, 1L << 62, Long.MAX_VALUE
  };

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void mutated(boolean own) throws IOException {
    int mutations = Integer.getInteger("secateur.test.mutations", own ? 600 : 1000);
    byte[] whole = Files.readAllBytes(own ? ours() : plain());
    assertTrue(read(own, whole, "the whole file"));
    SplittableRandom random = new SplittableRandom(own ? 3 : 4);
    int refused = 0;
    for (int i = 0; i < mutations; i++) {
      byte[] b =
          switch (i % 4) {
            case 0 -> Arrays.copyOf(whole, random.nextInt(whole.length));
            case 1 -> flipped(whole, random);
            default -> lied(whole, random, own);
          };
      refused += read(own, b, "mutation " + i) ? 0 : 1;
    }
    assertTrue(refused > mutations / 2, refused + " of " + mutations + " refused");
  }

  private Path ours() {
    Path file = dir.resolve("m.sct");
    Models.save(SMALL, file);
    return file;
  }

  private Path plain() {
    Path file = dir.resolve("m.safetensors");
    Models.exportSafetensors(SMALL, file);
    return file;
  }

  /** Whether the file is read; if not, it must be refused as we promise. */
  private boolean read(boolean own, byte[] bytes, String what) throws IOException {
    Path file = Files.write(dir.resolve("damaged"), bytes);
    try {
      if (!own) {
        Safetensors.tensors(file);
        return true;
      }
      Model m = Models.load(file);
      Cost.of(m.graph()); // what is read can be worked with
      ChannelGroups.of(m.graph(), Scope.ALL);
      return true;
    } catch (SecateurException e) {
      OneLine.check(e, file, what);
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(what + ": " + e, e);
    }
  }

  private static byte[] flipped(byte[] whole, SplittableRandom random) {
    byte[] b = whole.clone();
    int header = 8 + (int) ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN).getLong();
    for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
      b[random.nextInt(header)] ^= (byte) (1 << random.nextInt(8));
    }
    return b;
  }

  // ---- lies that are whole JSON ----------------------------------------------------------------

  private static byte[] lied(byte[] whole, SplittableRandom random, boolean own)
      throws IOException {
    int length = (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
    ObjectNode header = (ObjectNode) Json.MAPPER.readTree(whole, 8, length);
    for (int lies = 1 + random.nextInt(2); lies > 0; lies--) {
      if (own && random.nextInt(3) > 0) {
        ObjectNode metadata = (ObjectNode) header.get("__metadata__");
        JsonNode graph = Json.MAPPER.readTree(metadata.get("secateur.graph").asText());
        lie(graph, random);
        metadata.put("secateur.graph", graph.toString());
      } else {
        lie(header, random);
      }
    }
    return file(header.toString(), Arrays.copyOfRange(whole, 8 + length, whole.length));
  }

  /** Changes one value somewhere in a tree. */
  private static void lie(JsonNode tree, SplittableRandom random) {
    List<JsonNode> containers = new ArrayList<>();
    collect(tree, containers);
    containers.removeIf(JsonNode::isEmpty);
    JsonNode at = containers.get(random.nextInt(containers.size()));
    JsonNode value =
        switch (random.nextInt(10)) {
          case 0 -> Json.MAPPER.nullNode();
          case 1 -> Json.MAPPER.getNodeFactory().textNode("a\nb\u0000" + "c".repeat(3000));
          case 2 -> Json.MAPPER.createArrayNode();
          case 3 -> Json.MAPPER.getNodeFactory().numberNode(BigInteger.ONE.shiftLeft(70));
          case 4 -> containers.get(random.nextInt(containers.size())).deepCopy();
          default -> Json.MAPPER.getNodeFactory().numberNode(number(random));
        };
    if (at instanceof ArrayNode a) {
      int i = random.nextInt(a.size());
      switch (random.nextInt(3)) {
        case 0 -> a.remove(i);
        case 1 -> a.insert(i, value);
        default -> a.set(i, value);
      }
    } else {
      List<String> names = new ArrayList<>();
      at.fieldNames().forEachRemaining(names::add);
      String name = names.get(random.nextInt(names.size()));
      JsonNode other = at.get(names.get(random.nextInt(names.size())));
      switch (random.nextInt(5)) {
        case 0 -> ((ObjectNode) at).remove(name);
        case 1 -> ((ObjectNode) at).set(name, other);
        case 2 -> ((ObjectNode) at).set(name + "\u2028\n\u001b[31m", other);
        default -> ((ObjectNode) at).set(name, value);
      }
    }
  }

  private static long number(SplittableRandom random) {
    return NUMBERS[random.nextInt(NUMBERS.length)];
  }

  private static void collect(JsonNode tree, List<JsonNode> out) {
    if (tree.isContainerNode()) {
      out.add(tree);
      tree.forEach(t -> collect(t, out));
    }
  }

  private static byte[] file(String header, byte[] data) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return file(json.length, json, data);
  }

  private static byte[] file(long length, byte[] json, byte[] data) {
    return ByteBuffer.allocate(8 + json.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(json)
        .put(data)
        .array();
  }

  private static String tensor(String name, String type, String shape, long from, long to) {
    return String.format(
        "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
        name, type, shape, from, to);
  }

  private boolean plain(String tensors, int bytes) throws IOException {
    return read(false, file("{" + tensors + "}", new byte[bytes]), tensors);
  }

  @Test
  void lyingSizes() throws IOException {
    assertTrue(plain(tensor("a", "F32", "[2,2]", 0, 16), 16));
    assertTrue(plain(tensor("a", "F32", "[]", 0, 4), 4));
    for (String shape :
        new String[] {
          "[2,3]",
          "[-2,-2]",
          "[0]",
          "[4.0]",
          "[\"4\"]",
          "[1152921504606846976]",
          "[4611686018427387905]",
          "[4294967296,4294967296]",
          "[1152921504606846976,1152921504606846976,4]",
          "[1180591620717411303424]",
          "4"
        }) {
      assertFalse(plain(tensor("a", "F32", shape, 0, 16), 16), shape);
      assertFalse(plain(tensor("a", "F32", shape, 0, 0), 16), shape);
    }
    long[][] offsets = {
      {0, 1L << 60}, {1, 17}, {-16, 0}, {16, 0}, {Long.MIN_VALUE, 16}, {0, Long.MAX_VALUE}, {0, 8}
    };
    for (long[] o : offsets) {
      assertFalse(plain(tensor("a", "F32", "[2,2]", o[0], o[1]), 16), Arrays.toString(o));
    }
    assertFalse(plain(tensor("a", "F64", "[2]", 0, 16), 16));
    assertFalse(plain("\"a\":{}", 16));
    assertFalse(plain("\"a\":[]", 16));
    assertFalse(
        plain(tensor("a", "F32", "[4]", 0, 16) + "," + tensor("a", "F32", "[4]", 0, 16), 16));
    assertFalse(
        plain(tensor("a", "F32", "[4]", 0, 16) + "," + tensor("b", "F32", "[3]", 4, 16), 16));
  }

  @Test
  void manyTensorsOfTheSameBytesAreNotRead() throws IOException {
    StringBuilder all = new StringBuilder();
    for (int i = 0; i < 50_000; i++) { // would be 200 GB
      all.append(i == 0 ? "" : ",").append(tensor("t" + i, "F32", "[1048576]", 0, 4 << 20));
    }
    assertFalse(plain(all.toString(), 4 << 20));
  }

  @Test
  void lyingHeaders() throws IOException {
    byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
    for (long length : new long[] {-1, 0, 1, 3, 1 << 20, Long.MAX_VALUE, Long.MIN_VALUE}) {
      assertFalse(read(false, file(length, json, new byte[0]), length + " bytes of header"));
    }
    assertFalse(read(false, new byte[0], "empty"));
    String deep = "[".repeat(1 << 20);
    assertFalse(read(false, file("{\"a\":" + deep, new byte[0]), "deep nesting"));
    assertFalse(read(false, file(" ".repeat((32 << 20) + 1), new byte[0]), "a huge header"));
    for (String other : new String[] {"[]", "7", "null", "\"a\"", "{}", "{\"__metadata__\":[]}"}) {
      assertFalse(read(true, file(other, new byte[0]), other));
    }
  }

  @Test
  void networksThatWouldGrow() throws IOException {
    StringBuilder graph = new StringBuilder(node("input", "Input", "3,8,8"));
    String last = "input";
    for (int i = 0; i < 40; i++) {
      graph.append(',').append(concat("c" + i, last, last));
      last = "c" + i;
    }
    assertFalse(own(graph.toString()), "channels doubled 40 times");
    assertFalse(own(node("input", "Input", "3,2147483647,2147483647")), "a huge image");
    assertFalse(own(node("input", "Input", "3,-1,8")), "a negative image");
    assertTrue(own(node("input", "Input", "3,8,8")));
  }

  private static String node(String name, String type, String numbers) {
    String[] n = numbers.split(",");
    return String.format(
        "{\"name\":\"%s\",\"type\":\"%s\",\"op\":{\"channels\":%s,\"height\":%s,\"width\":%s},"
            + "\"inputs\":[]}",
        name, type, n[0], n[1], n[2]);
  }

  private static String concat(String name, String a, String b) {
    return String.format(
        "{\"name\":\"%s\",\"type\":\"Concat\",\"op\":{},\"inputs\":[\"%s\",\"%s\"]}", name, a, b);
  }

  private boolean own(String nodes) throws IOException {
    ObjectNode header = Json.MAPPER.createObjectNode();
    header.putObject("__metadata__").put("secateur.graph", "[" + nodes + "]");
    for (int i = 0; i < 2; i++) {
      ObjectNode t = header.putObject(i == 0 ? "input.mean" : "input.std");
      t.put("dtype", "F32").putArray("shape").add(3);
      t.putArray("data_offsets").add(12 * i).add(12 * i + 12);
    }
    return read(true, file(header.toString(), new byte[24]), nodes);
  }

  @Test
  void halfPrecisionAndCountersOfBatches() throws IOException {
    byte[] data = {0, 0x3c, 0, (byte) 0xc0, (byte) 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0};
    String header =
        "{"
            + tensor("a", "F16", "[2]", 0, 4)
            + ","
            + tensor("b", "BF16", "[1]", 4, 6)
            + ","
            + tensor("bn.num_batches_tracked", "I64", "[]", 6, 14)
            + "}";
    Path file = Files.write(dir.resolve("h.safetensors"), file(header, data));
    Map<String, HostTensor> got = Safetensors.tensors(file);
    assertEquals(2, got.size());
    assertArrayEquals(new float[] {1, -2}, got.get("a").data());
    assertArrayEquals(new float[] {1}, got.get("b").data());
    String line = "";
    try {
      Models.importPyTorch(file, "resnet8", Optional.empty());
    } catch (SecateurException e) {
      line = e.getMessage();
    }
    assertTrue(line.contains("is no resnet8"), line);
  }
}
