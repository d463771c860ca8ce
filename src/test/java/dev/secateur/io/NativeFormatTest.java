package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Op;
import dev.secateur.util.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Files of earlier versions are read for good, and names in files are not Java's. */
class NativeFormatTest {
  @TempDir Path dir;

  static Stream<String> names() {
    return FormatModels.all().keySet().stream();
  }

  private static Path earlier(String name) {
    try {
      return Path.of(NativeFormatTest.class.getResource("/sct/" + name + ".sct").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void same(Model expected, Model got) {
    assertEquals(expected.graph().nodes(), got.graph().nodes());
    assertEquals(
        List.copyOf(expected.metadata().entrySet()), List.copyOf(got.metadata().entrySet()));
    assertEquals(expected.parameters().keySet(), got.parameters().keySet());
    expected
        .parameters()
        .forEach(
            (name, t) -> {
              assertEquals(t.shape(), got.parameters().get(name).shape(), name);
              assertArrayEquals(bits(t.data()), bits(got.parameters().get(name).data()), name);
            });
  }

  private static int[] bits(float[] values) {
    int[] out = new int[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Float.floatToRawIntBits(values[i]);
    }
    return out;
  }

  @ParameterizedTest
  @MethodSource("names")
  void filesFromBeforeFormatsHadNumbersAreRead(String name) throws IOException {
    same(FormatModels.all().get(name), Models.load(earlier(name)));
  }

  @ParameterizedTest
  @MethodSource("names")
  void whatIsWrittenIsReadAgain(String name) throws IOException {
    Model model = Models.load(earlier(name));
    Path file = dir.resolve("again.sct");
    Models.save(model, file);
    same(FormatModels.all().get(name), Models.load(file));
  }

  @ParameterizedTest
  @MethodSource("names")
  void theFirstFormatIsWrittenAsEverButForItsNumber(String name) throws IOException {
    Model model = Models.load(earlier(name));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    NativeFormat.write(model, out);
    ObjectNode header = header(out.toByteArray());
    ObjectNode metadata = (ObjectNode) header.get("__metadata__");
    assertEquals("1", metadata.remove("secateur.format").asText());
    byte[] before = Files.readAllBytes(earlier(name));
    assertEquals(header(before).toString(), header.toString());
    assertArrayEquals(data(before), data(out.toByteArray()));
  }

  @Test
  void filesOfLaterOperationsAreReadAndWrittenAsTheyAre() throws IOException {
    for (Map.Entry<String, Model> e : FormatModels.later().entrySet()) {
      Model model = Models.load(earlier(e.getKey()));
      same(e.getValue(), model);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      NativeFormat.write(model, out);
      assertArrayEquals(Files.readAllBytes(earlier(e.getKey())), out.toByteArray());
    }
  }

  private static int length(byte[] file) {
    return (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static ObjectNode header(byte[] file) throws IOException {
    return (ObjectNode) Json.MAPPER.readTree(file, 8, length(file));
  }

  private static byte[] data(byte[] file) {
    return Arrays.copyOfRange(file, 8 + length(file), file.length);
  }

  @Test
  void theEarlierFilesHaveEveryOperation() throws IOException {
    Set<String> have = new TreeSet<>();
    for (String file : List.of("every-op", "shuffles", "groups", "borders", "opaque")) {
      for (Node n : Models.load(earlier(file)).graph().nodes()) {
        have.add(n.op().getClass().getName());
      }
    }
    Set<String> all = new TreeSet<>();
    for (Class<?> op : Op.class.getPermittedSubclasses()) {
      all.add(op.getName());
    }
    assertEquals(all, have, "a new operation needs a new file, and a line in FormatModels");
  }

  @Test
  void thePageOnFormatsNamesAllThatAFileHas() throws IOException {
    String page = Files.readString(Path.of("src", "site", "formats.md"));
    Set<String> words = new TreeSet<>();
    for (String name : List.of("every-op", "shuffles", "groups", "borders", "opaque")) {
      byte[] file = Files.readAllBytes(earlier(name));
      for (JsonNode n : tree(header(file).get("__metadata__").get("secateur.graph").asText())) {
        words.add(n.get("type").asText());
        collect(n.get("op"), words);
      }
    }
    assertTrue(words.size() > 70, words.toString());
    for (String word : words) {
      assertTrue(page.contains("`" + word + "`"), word + " is missing");
    }
  }

  /** The names of fields and of constants in an operation's attributes. */
  private static void collect(JsonNode attributes, Set<String> words) {
    attributes
        .properties()
        .forEach(
            e -> {
              words.add(e.getKey());
              if (e.getValue().isTextual() && !e.getValue().asText().endsWith("Infinity")) {
                words.add(e.getValue().asText());
              }
              collect(e.getValue(), words);
            });
  }

  /** The file of all operations with another header. */
  private Path changed(Consumer<ObjectNode> metadata) throws IOException {
    byte[] whole = Files.readAllBytes(earlier("every-op"));
    ObjectNode header = header(whole);
    metadata.accept((ObjectNode) header.get("__metadata__"));
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    byte[] data = data(whole);
    byte[] file =
        ByteBuffer.allocate(8 + json.length + data.length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(json.length)
            .put(json)
            .put(data)
            .array();
    return Files.write(dir.resolve("changed.sct"), file);
  }

  private static String refusal(Path file) {
    SecateurException e = assertThrows(SecateurException.class, () -> Models.load(file));
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    return e.getMessage();
  }

  @Test
  void aNewerFormatIsRefusedInOneLine() throws IOException {
    Path file =
        changed(
            m -> {
              m.put("secateur.format", "2");
              m.put("secateur.graph", "in a way that is not known yet");
            });
    assertEquals(
        file + ": is in format 2, from a newer Secateur; this one reads formats up to 1",
        refusal(file));
  }

  @ParameterizedTest
  @CsvSource({"0", "-1", "1.0", "one", "''", "99999999999999999999"})
  void aFormatThatIsNoNumberIsRefused(String format) throws IOException {
    Path file = changed(m -> m.put("secateur.format", format));
    assertTrue(refusal(file).contains("secateur.format is '" + format + "'"), refusal(file));
  }

  @Test
  void aModelsOwnMetadataCannotPassForTheFormat() throws IOException {
    Model model = FormatModels.all().get("mean-image").with("secateur.format", "7");
    Path file = dir.resolve("m.sct");
    Models.save(model, file);
    same(FormatModels.all().get("mean-image"), Models.load(file));
  }

  @ParameterizedTest
  @CsvSource({
    "features.0, outChannels, '\"6\"', 'outChannels is \"6\", expected a whole number'",
    "features.0, outChannels, 6.5, 'outChannels is 6.5, expected a whole number'",
    "features.0, bias, 1, 'bias is 1, expected true or false'",
    "features.0, spec, 3, 'features.0''s spec lacks its attributes'",
    "features.0, colour, 3, 'features.0: unknown attribute colour'",
    "features.1, eps, '\"small\"', 'eps is \"small\", expected a number'",
    "activate.NONE, activation, '\"TANH\"', 'expected one of NONE, RELU, RELU6'",
    "activate.NONE, activation, 1, 'activation is 1, expected one of'",
    "picked, channels, '[0,1.5]', 'channels is [0,1.5], expected whole numbers'",
    "picked, channels, 0, 'channels is 0, expected whole numbers'"
  })
  void attributesOfAnotherKindAreNamed(String node, String attribute, String value, String line)
      throws IOException {
    Path file = changed(m -> edit(m, node, op -> op.set(attribute, tree(value))));
    assertTrue(refusal(file).contains(line), refusal(file));
  }

  @ParameterizedTest
  @CsvSource({
    "features.0, kernelH",
    "features.0, bias",
    "activate.RELU, activation",
    "picked, channels"
  })
  void attributesThatAreMissingAreNamed(String node, String attribute) throws IOException {
    Path file = changed(m -> edit(m, node, op -> op.remove(attribute)));
    assertTrue(refusal(file).contains(node + ": " + attribute + " is missing"), refusal(file));
  }

  private static void edit(ObjectNode metadata, String node, Consumer<ObjectNode> change) {
    JsonNode graph = tree(metadata.get("secateur.graph").asText());
    for (JsonNode n : graph) {
      if (n.get("name").asText().equals(node)) {
        change.accept((ObjectNode) n.get("op"));
      }
    }
    metadata.put("secateur.graph", graph.toString());
  }

  private static JsonNode tree(String json) {
    try {
      return Json.MAPPER.readTree(json);
    } catch (IOException e) {
      throw new IllegalArgumentException(e);
    }
  }
}
