package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.nn.Architectures;
import dev.secateur.nn.Model;
import dev.secateur.nn.op.Input;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
}
