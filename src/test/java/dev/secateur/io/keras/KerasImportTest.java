package dev.secateur.io.keras;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.secateur.JavaNames;
import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.Outputs;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.SurgeryProof;
import dev.secateur.prune.Zeroed;
import dev.secateur.tensor.HostTensor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A Keras model computes here what it computed there; fixtures: scripts/make-keras-fixtures.py. */
class KerasImportTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "keras");

  /** A file; more by -Dsecateur.test.mutations=N. */
  private static final int MUTATIONS = Integer.getInteger("secateur.test.mutations", 300);

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({
    "small.json, expected.json",
    "whole.h5, expected.json",
    "small.keras, expected.json",
    "first.h5, expected.json",
    "first.json, first-expected.json",
    "gate.h5, gate-expected.json",
    "gate.keras, gate-expected.json",
    "nested.h5, nested-expected.json",
    "nested.keras, nested-expected.json"
  })
  void logitsAreKerass(String file, String logitsFile) throws IOException {
    Optional<Path> weights =
        Optional.of(FIXTURES.resolve("small.h5")).filter(w -> file.endsWith(".json"));
    Model model = Models.importKeras(FIXTURES.resolve(file), weights);
    JsonNode expected = new ObjectMapper().readTree(Files.readString(FIXTURES.resolve(logitsFile)));
    byte[] pixels = new byte[expected.path("pixels").size()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) expected.path("pixels").get(i).asInt();
    }
    float[] logits = new float[expected.path("logits").size()];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) expected.path("logits").get(i).asDouble();
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram p = InferenceProgram.compile(net, 1, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      host.bytes().put(0, pixels);
      device.upload(host, p.pixels());
      p.run();
      assertArrayEquals(logits, device.downloadFloats(p.output()), 1e-5f);
    }
  }

  /** Its dense layers are convolutions of one pixel then, whose channels hang together. */
  @Test
  void squeezeAndExcitationIsPruned() throws IOException {
    Model model = Models.importKeras(FIXTURES.resolve("gate.h5"), Optional.empty());
    try (Device device = new CpuDevice()) {
      Removal removed = new Removal(Map.of("stem", new int[] {1, 4}, "reduce", new int[] {0}));
      Model smaller = Surgery.remove(model, removed);
      assertEquals("6x3x1x1", smaller.parameters().get("expand.weight").shape().toString());
      byte[] pixels = Outputs.pixels(model, 2);
      float[] zeroed = Outputs.ours(device, Zeroed.model(model, removed), pixels, 2);
      assertArrayEquals(zeroed, Outputs.ours(device, smaller, pixels, 2), 1e-5f);
    }
  }

  /** The reduction from the full ResNet-56 (125,747,840 MACs) is the paper's 7.09 % for one. */
  @ParameterizedTest
  @CsvSource({"authors-resnet56-it0, 116826752", "authors-resnet56-it8, 53992064"})
  void thePapersOwnNetworksAreRead(String name, long macs) throws IOException {
    Path file = Path.of("..", "shared", "data", "pretrained", name + ".json");
    Assumptions.assumeTrue(Files.exists(file), file + " is absent: skipped");
    Model model = Models.importKeras(file, Optional.empty());
    assertEquals(macs, Cost.of(model.graph()).macs());
  }

  @Test
  void whatIsNotSupportedIsNamed() throws IOException {
    String json = Files.readString(FIXTURES.resolve("small.json"));
    refused("layer stem_relu is a PReLU", json.replace("\"ReLU\"", "\"PReLU\""));
    refused(
        "layer project is channels_last, unlike layer stem",
        json.replaceFirst("channels_last", "channels_first"));
    refused(
        "written by Keras 1 (layer stem has nb_filter); load it with Keras 2 and save it again",
        json.replaceFirst("\"filters\"", "\"nb_filter\""));
    refused("written by Keras 1.2.2", json.replace("2.1.2", "1.2.2"));
    refused("is called 2 times", json.replace("[[[\"stem\", 0, 0, {}]]]", "[[], []]"));
    refused("which is not before it", json.replace("[[[\"stem\", 0", "[[[\"sum\", 0"));
    refused("is 3x3x3x6, expected 3x3x3x9", json.replace("\"filters\": 6", "\"filters\": 9"));
    refused("no JSON", json.substring(0, json.length() / 2));
    refused("expected a Keras Model", "{}");
    Path weightsOnly = FIXTURES.resolve("small.h5");
    String message =
        assertThrows(
                SecateurException.class, () -> Models.importKeras(weightsOnly, Optional.empty()))
            .getMessage();
    assertTrue(message.contains("holds weights only"), message);
  }

  /** It computes what a network computes in which the layers are there twice; as one it is cut. */
  @Test
  void layersThatAreCalledTwice() throws IOException {
    String json = Files.readString(FIXTURES.resolve("small.json"));
    String twice =
        json.replace(
                "[[[\"spatial_relu\", 0, 0, {}]]]",
                "[[[\"spatial_relu\", 0, 0, {}]], [[\"spatial_bn\", 0, 0, {}]]]")
            .replace("[\"project\", 0, 0, {}]", "[\"project\", 0, 0, {}], [\"project\", 1, 0, {}]");
    Path file = dir.resolve("twice.json");
    Files.writeString(file, twice);
    Model model = Models.importKeras(file, Optional.of(FIXTURES.resolve("small.h5")));
    Model once = Models.importKeras(FIXTURES.resolve("small.json"), Optional.empty());
    Graph g = model.graph();
    assertEquals(List.of("project", "project.call2"), names(g.sharing(g.node("project"))));
    assertEquals(once.parameters().keySet(), model.parameters().keySet());
    assertEquals(Cost.of(once.graph()).parameters(), Cost.of(g).parameters());
    List<Node> nodes = new ArrayList<>();
    for (Node n : once.graph().nodes()) {
      if (n.name().equals("sum")) {
        nodes.add(new Node("copy", once.graph().node("project").op(), List.of("spatial_bn")));
        nodes.add(new Node("two", n.op(), n.inputs()));
        nodes.add(new Node("sum", n.op(), List.of("two", "copy")));
      } else {
        nodes.add(n);
      }
    }
    Map<String, HostTensor> parameters = new LinkedHashMap<>(once.parameters());
    once.parameters()
        .forEach(
            (name, t) -> {
              if (name.startsWith("project.")) {
                parameters.put(name.replace("project.", "copy."), t);
              }
            });
    Model copies = new Model(new Graph(nodes), parameters, once.metadata());
    byte[] pixels = Outputs.pixels(model, 2);
    assertArrayEquals(Outputs.ours(copies, pixels, 2), Outputs.ours(model, pixels, 2), 1e-5f);
    Removal removal = new Removal(Map.of("project", new int[] {1, 4}));
    Model smaller = Surgery.remove(model, removal);
    assertEquals(4, smaller.graph().shape("project.call2").dim(1));
    assertEquals(4, smaller.graph().shape("stem").dim(1)); // by the sum
    Model zeroed = Zeroed.model(model, SurgeryProof.removed(model, smaller));
    assertArrayEquals(Outputs.ours(zeroed, pixels, 2), Outputs.ours(smaller, pixels, 2), 1e-5f);
  }

  @Test
  void modelsInsideThatAreCalledTwice() throws IOException {
    Map<String, byte[]> parts = entries("nested.keras");
    String json = new String(parts.get("config.json"), StandardCharsets.UTF_8);
    JsonNode config = new ObjectMapper().readTree(json);
    for (JsonNode layer : config.path("config").path("layers")) {
      ArrayNode calls = (ArrayNode) layer.path("inbound_nodes");
      if (layer.path("config").path("name").asText().equals("backbone")) {
        calls.add(calls.path(0).deepCopy());
      }
      for (JsonNode tensor : calls.findValues("keras_history")) {
        if (tensor.path(0).asText().equals("backbone")) {
          ((ArrayNode) tensor).set(1, 1);
        }
      }
    }
    parts.put("config.json", config.toString().getBytes(StandardCharsets.UTF_8));
    Path file = dir.resolve("nested.keras");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, byte[]> e : parts.entrySet()) {
        out.putNextEntry(new ZipEntry(e.getKey()));
        out.write(e.getValue());
      }
    }
    Model second = Models.importKeras(file, Optional.empty());
    Model model = Models.importKeras(FIXTURES.resolve("nested.keras"), Optional.empty());
    assertTrue(second.parameters().containsKey("backbone.call2.conv.weight"));
    byte[] pixels = Outputs.pixels(model, 2);
    assertArrayEquals(Outputs.ours(model, pixels, 2), Outputs.ours(second, pixels, 2));
  }

  private static List<String> names(List<Node> nodes) {
    return nodes.stream().map(Node::name).toList();
  }

  @Test
  void archivesThatLackSomethingAreNamed() throws IOException {
    Map<String, byte[]> whole = entries("small.keras");
    Map<String, byte[]> part = new LinkedHashMap<>(whole);
    byte[] weights = part.remove("model.weights.h5");
    refusedArchive("holds no model.weights.h5", part);
    part.put("model.weights.h5", new byte[100]);
    refusedArchive("its model.weights.h5 is no HDF5 file", part);
    part.put("model.weights.h5", weights);
    String json = new String(whole.get("config.json"), StandardCharsets.UTF_8);
    String other = json.replace("\"keras_history\": [\"stem\", 0, 0]", "\"keras_history\": []");
    part.put("config.json", other.getBytes(StandardCharsets.UTF_8));
    refusedArchive("which is not before it", part);
    part.put("config.json", json.replace("Conv2D", "Conv2DTranspose").getBytes());
    refusedArchive("expected at layers/conv2d_transpose/vars", part);
    String called = json.replace("\"args\": [", "\"args\": [3.5, ");
    part.put("config.json", called.getBytes(StandardCharsets.UTF_8));
    refusedArchive("is called with 3.5; expected outputs of layers", part);
  }

  private static Map<String, byte[]> entries(String archive) throws IOException {
    Map<String, byte[]> out = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(FIXTURES.resolve(archive).toFile())) {
      for (ZipEntry e : Collections.list(zip.entries())) {
        out.put(e.getName(), zip.getInputStream(e).readAllBytes());
      }
    }
    return out;
  }

  private void refusedArchive(String expected, Map<String, byte[]> entries) throws IOException {
    Path file = dir.resolve("m.keras");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, byte[]> e : entries.entrySet()) {
        out.putNextEntry(new ZipEntry(e.getKey()));
        out.write(e.getValue());
      }
    }
    String message =
        assertThrows(SecateurException.class, () -> Models.importKeras(file, Optional.empty()))
            .getMessage();
    assertTrue(message.contains(expected), message);
    assertTrue(message.startsWith(dir.toString()), message);
    assertEquals(1, message.lines().count(), message);
  }

  private void refused(String expected, String json) throws IOException {
    Path file = Files.writeString(dir.resolve("m.json"), json);
    Optional<Path> weights = Optional.of(FIXTURES.resolve("small.h5"));
    String message =
        assertThrows(SecateurException.class, () -> Models.importKeras(file, weights)).getMessage();
    assertTrue(message.contains(expected), message);
    assertTrue(message.startsWith(dir.toString()) || message.contains("small.h5"), message);
    assertEquals(1, message.lines().count(), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"whole.h5", "small.keras"})
  void damagedFilesEndInOneLine(String name) throws IOException {
    SplittableRandom random = new SplittableRandom(11);
    byte[] whole = Files.readAllBytes(FIXTURES.resolve(name));
    String ending = name.substring(name.indexOf('.'));
    int refused = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      byte[] bytes = whole.clone();
      int kind = random.nextInt(3);
      if (kind == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      } else if (kind == 1 && name.endsWith(".keras")) {
        bytes = withConfig(bytes, random); // flipped bits end at a checksum
      } else {
        // the structure lies mostly in the first part of the file
        int span = random.nextBoolean() ? 2048 : bytes.length;
        for (int flips = 1 + random.nextInt(kind == 1 ? 1 : 20); flips > 0; flips--) {
          bytes[random.nextInt(span)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      Path file = Files.write(dir.resolve("m" + i + ending), bytes);
      try {
        Models.importKeras(file, Optional.empty());
      } catch (SecateurException e) {
        refused++;
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
        assertTrue(e.getMessage().contains(file.getFileName().toString()), e.getMessage());
        JavaNames.none(e.getMessage());
      } catch (Throwable e) {
        fail("mutation " + i, e);
      }
    }
    assertTrue(refused > MUTATIONS / 4, "only " + refused + " were refused");
  }

  /** The same archive with some characters of its config.json changed. */
  private static byte[] withConfig(byte[] archive, SplittableRandom random) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(archive));
        ZipOutputStream to = new ZipOutputStream(out)) {
      for (ZipEntry e = in.getNextEntry(); e != null; e = in.getNextEntry()) {
        byte[] content = in.readAllBytes();
        if (e.getName().equals("config.json")) {
          String some = "0123456789-[]{}\",:nulltrue";
          for (int k = 1 + random.nextInt(3); k > 0; k--) {
            content[random.nextInt(content.length)] =
                (byte) some.charAt(random.nextInt(some.length()));
          }
        }
        to.putNextEntry(new ZipEntry(e.getName()));
        to.write(content);
      }
    }
    return out.toByteArray();
  }
}
