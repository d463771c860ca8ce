package dev.secateur.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;

/** What a container that was started without a GPU lacks. */
final class ContainerHint {
  private ContainerHint() {}

  /**
   * Empty outside of containers, and in those that have a GPU's device files.
   *
   * @param root of the file system
   */
  static String of(Map<String, String> environment, Path root) {
    boolean container =
        environment.containsKey("KUBERNETES_SERVICE_HOST")
            || Stream.of(".dockerenv", "run/.containerenv", ".singularity.d")
                .anyMatch(f -> Files.exists(root.resolve(f)));
    boolean files =
        Stream.of("dev/nvidiactl", "dev/dxg").anyMatch(f -> Files.exists(root.resolve(f)));
    return !container || files
        ? ""
        : "; this container has no GPU: start it with --gpus all (Kubernetes: a limit of"
            + " nvidia.com/gpu), which takes nvidia-container-toolkit on the host";
  }
}
