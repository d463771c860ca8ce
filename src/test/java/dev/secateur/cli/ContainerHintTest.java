package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerHintTest {
  @TempDir Path root;

  @Test
  void aContainerWithoutAGpuIsTold() throws IOException {
    assertEquals("", ContainerHint.of(Map.of(), root), "no container");
    String pod = ContainerHint.of(Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1"), root);
    assertTrue(pod.contains("nvidia.com/gpu"), pod);
    Files.createFile(root.resolve(".dockerenv"));
    String docker = ContainerHint.of(Map.of(), root);
    assertTrue(docker.contains("--gpus all") && docker.contains("nvidia-container-toolkit"));
    Files.createDirectories(root.resolve("dev"));
    Files.createFile(root.resolve("dev/nvidiactl"));
    assertEquals("", ContainerHint.of(Map.of(), root), "it has one");
  }
}
