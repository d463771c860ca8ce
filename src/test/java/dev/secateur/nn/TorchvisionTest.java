package dev.secateur.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Named networks are torchvision's: parameters by a formula of name and index give the same logits
 * only if structure, names and order agree. Fixture: scripts/make-architecture-fixtures.py.
 */
class TorchvisionTest {
  private static final Path FIXTURE = Path.of("src", "test", "resources", "pytorch", "logits.json");

  @ParameterizedTest
  @ValueSource(
      strings = {"resnet18", "resnext50_32x4d", "densenet121", "mobilenet_v2", "wide_resnet50_2"})
  void logitsAreTorchvisions(String name) throws IOException {
    JsonNode expected = new ObjectMapper().readTree(Files.readString(FIXTURE)).path(name);
    int size = expected.path("size").asInt();
    Graph graph = Architectures.graph(name, 1000, 3, size);
    assertEquals(expected.path("parameters").asLong(), Cost.of(graph).parameters());
    Map<String, HostTensor> parameters = new LinkedHashMap<>();
    ParameterShapes.of(graph).forEach((p, shape) -> parameters.put(p, value(p, shape)));
    byte[] pixels = new byte[3 * size * size];
    double[] u = uniform("pixels", pixels.length);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (u[i] * 256);
    }
    float[] logits = new float[expected.path("logits").size()];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) expected.path("logits").get(i).asDouble();
    }
    try (Device device = new CpuDevice();
        Network net = new Network(device, new Model(graph, parameters, Map.of()));
        InferenceProgram p = InferenceProgram.compile(net, 1, Optional.empty());
        HostBuffer host = device.hostBuffer(p.pixels().bytes())) {
      host.bytes().put(0, pixels);
      device.upload(host, p.pixels());
      p.run();
      float[] got = Arrays.copyOf(device.downloadFloats(p.output()), logits.length);
      assertArrayEquals(logits, got, (float) (1e-4 * expected.path("largest").asDouble()));
    }
  }

  private static HostTensor value(String name, Shape shape) {
    if (name.equals("input.mean")) {
      return new HostTensor(shape, new float[] {0.485f * 255, 0.456f * 255, 0.406f * 255});
    }
    if (name.equals("input.std")) {
      return new HostTensor(shape, new float[] {0.229f * 255, 0.224f * 255, 0.225f * 255});
    }
    double[] u = uniform(name, (int) shape.elements());
    float[] v = new float[u.length];
    double scale = shape.rank() > 1 ? Math.sqrt(24.0 * shape.dim(0) / shape.elements()) : 0.2;
    boolean positive = name.endsWith(".weight") || name.endsWith(".running_var");
    for (int i = 0; i < v.length; i++) {
      v[i] = (float) (shape.rank() == 1 && positive ? 0.5 + u[i] : (u[i] - 0.5) * scale);
    }
    return new HostTensor(shape, v);
  }

  private static double[] uniform(String name, int n) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      int x = (int) (i * 2654435761L) + name.hashCode();
      x ^= x >>> 16;
      x *= 0x85EBCA6B;
      x ^= x >>> 13;
      out[i] = Integer.toUnsignedLong(x) / 4294967296.0;
    }
    return out;
  }
}
