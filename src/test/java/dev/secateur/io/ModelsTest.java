package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.secateur.SecateurException;
import dev.secateur.io.pytorch.StateDictNames;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Formula;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Input;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** State dicts of named architectures. */
class ModelsTest {
  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({
    "resnet8, 32",
    "resnet8b, 32",
    "vgg11_bn_cifar, 32",
    "resnet18, 224",
    "densenet121, 224",
    "mobilenet_v2, 224"
  })
  void classesAndChannelsAreThoseOfTheFile(String architecture, int size) throws IOException {
    Model made = Architectures.create(architecture, 7, 1, size, 1);
    Path file = dir.resolve("m.safetensors");
    Models.exportSafetensors(made, file);
    Model read = Models.importPyTorch(file, architecture, Optional.empty());
    assertEquals(new Input(1, size, size), read.graph().input().op());
    assertEquals(made.graph().nodes(), read.graph().nodes());
    made.parameters()
        .forEach((p, t) -> assertArrayEquals(t.data(), read.parameters().get(p).data(), p));
  }

  /** Names and shapes are those of timm's own modules, numbers a formula, logits PyTorch's. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18",
        "densenet121",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
        "efficientnet_b0",
        "tf_mobilenet_v3_small",
        "tf_efficientnet_b0",
        "regnet_x_800mf",
        "regnet_y_400mf",
        "convnext_tiny",
        "convnext_tiny torchvision"
      })
  void timmsNetworksAreRead(String name) throws IOException {
    JsonNode expected = timm().path(name);
    String architecture = name.split(" ")[0];
    List<String> told = new ArrayList<>();
    Model read =
        Models.named(
            Path.of("timm.pth"), tensors(expected), architecture, Optional.empty(), told::add);
    boolean mobile = architecture.startsWith("mobilenet") || architecture.startsWith("efficient");
    assertEquals(mobile ? 1 : 0, told.size(), told.toString());
    int size = expected.path("size").asInt();
    List<Node> nodes = new ArrayList<>(read.graph().nodes());
    nodes.set(0, new Node("input", new Input(3, size, size), List.of()));
    Map<String, HostTensor> parameters = new HashMap<>(read.parameters());
    float mean = parameters.get("input.mean").data()[0];
    assertEquals(architecture.startsWith("tf_mobile") ? 127.5f : 0.485f * 255, mean, 1e-4f);
    Shape three = Shape.of(3); // what the logits were computed with
    parameters.put("input.mean", Architectures.usualMean("resnet18", three));
    parameters.put("input.std", Architectures.usualStd("resnet18", three));
    Model small = new Model(new Graph(nodes), parameters, Map.of());
    float[] logits = Formula.floats(expected.path("logits"));
    assertArrayEquals(
        logits,
        Formula.logits(small, size, logits.length),
        (float) (1e-4 * expected.path("largest").asDouble()));
  }

  /** It is the one with blocks of fused convolutions. */
  @Test
  void timmsNamesAreTorchvisions() throws IOException {
    JsonNode network = timm().path("efficientnet_v2_s");
    Map<String, HostTensor> file = tensors(network);
    Map<String, HostTensor> read = StateDictNames.of("efficientnet_v2_s", file).tensors();
    assertEquals(file.size(), read.size());
    assertEquals(file.size(), network.path("names").size());
    network
        .path("names")
        .fields()
        .forEachRemaining(
            e -> assertSame(file.get(e.getKey()), read.get(e.getValue().asText()), e.getKey()));
    Models.named(Path.of("v.pth"), file, "efficientnet_v2_s", Optional.empty(), t -> {});
  }

  @Test
  void networksOfTensorFlowAreTimms() throws IOException {
    Map<String, HostTensor> file = tensors(timm().path("tf_efficientnet_b0"));
    StateDictNames names = StateDictNames.of("efficientnet_b0", file);
    SecateurException e =
        assertThrows(
            SecateurException.class,
            () ->
                Models.named(
                    Path.of("t.pth"),
                    names.tensors(),
                    "tf_efficientnet_b0",
                    Optional.empty(),
                    t -> {}));
    assertTrue(e.getMessage().contains("its names are not timm's"), e.getMessage());
  }

  /** Its first linear layer is a convolution of the whole image there. */
  @Test
  void timmsVggIsRead() throws IOException {
    Map<String, HostTensor> file = tensors(timm().path("vgg11_bn"));
    Model read = Models.named(Path.of("v.pth"), file, "vgg11_bn", Optional.empty(), t -> {});
    assertEquals("4096x25088", read.parameters().get("classifier.0.weight").shape().toString());
    assertSame(
        file.get("pre_logits.fc1.weight").data(),
        read.parameters().get("classifier.0.weight").data());
  }

  private static JsonNode timm() throws IOException {
    Path file = Path.of("src", "test", "resources", "pytorch", "timm.json.gz");
    try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
      return new ObjectMapper().readTree(in);
    }
  }

  private static Map<String, HostTensor> tensors(JsonNode network) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    network
        .path("tensors")
        .fields()
        .forEachRemaining(
            e -> {
              long[] dims = new long[e.getValue().size()];
              for (int i = 0; i < dims.length; i++) {
                dims[i] = e.getValue().get(i).asLong();
              }
              out.put(e.getKey(), Formula.value(e.getKey(), Shape.of(dims)));
            });
    return out;
  }
}
