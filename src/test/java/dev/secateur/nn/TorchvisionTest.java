package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Named networks are torchvision's: parameters by a formula of name and index give the same logits
 * only if structure, names and order agree. Fixtures: scripts/make-architecture-fixtures.py.
 */
class TorchvisionTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "pytorch");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18",
        "resnext50_32x4d",
        "densenet121",
        "mobilenet_v2",
        "wide_resnet50_2",
        "mobilenet_v3_small",
        "efficientnet_b0",
        "efficientnet_v2_s",
        "regnet_x_400mf",
        "regnet_y_400mf"
      })
  void logitsAreTorchvisions(String name) throws IOException {
    JsonNode expected = read("logits.json").path(name);
    int size = expected.path("size").asInt();
    Graph graph = Architectures.graph(name, 1000, 3, size);
    assertEquals(expected.path("parameters").asLong(), Cost.of(graph).parameters());
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph).forEach((p, shape) -> parameters.put(p, Formula.value(p, shape)));
    float[] logits = Formula.floats(expected.path("logits"));
    assertArrayEquals(
        logits,
        Formula.logits(new Model(graph, parameters, Map.of()), size, logits.length),
        (float) (1e-4 * expected.path("largest").asDouble()));
  }

  /** ConvNeXt's layers are other ones here: what ModelsTest reads. */
  @Test
  void allNamesAndShapesAreTorchvisions() throws IOException {
    JsonNode hashes = read("names.json");
    Set<String> compared = new TreeSet<>();
    for (String name : Architectures.names()) {
      if (!hashes.has(name) || name.startsWith("convnext")) {
        continue;
      }
      Set<String> lines = new TreeSet<>();
      ParameterShapes.of(Architectures.graph(name, 1000, 3, Architectures.usualSize(name)))
          .forEach((p, shape) -> lines.add(p + " " + shape + "\n"));
      lines.removeIf(l -> l.startsWith("input."));
      assertEquals(hashes.path(name).asText(), hash(String.join("", lines)), name);
      compared.add(name);
    }
    hashes.fieldNames().forEachRemaining(n -> assertTrue(Architectures.names().contains(n), n));
    assertTrue(compared.size() > 40, compared.toString());
  }

  private static String hash(String text) {
    try {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static JsonNode read(String file) throws IOException {
    return new ObjectMapper().readTree(Files.readString(FIXTURES.resolve(file)));
  }
}
