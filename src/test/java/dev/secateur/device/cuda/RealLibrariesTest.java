package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * NVIDIA's real libraries as pip, conda, toolkits and modules lay them out: mvn -Preal-cuda (NVRTC
 * of CUDA 13) and -Preal-cudnn (cuDNN, cuBLAS, cuSolver of CUDA 12). Hard links, so that no library
 * finds another by its own folder.
 */
class RealLibrariesTest {
  private static final Path REAL = Path.of("target", "real-libraries").toAbsolutePath();

  /** On the file system of the libraries, for hard links. */
  @TempDir Path elsewhere;

  private Path root;

  private void begin(String kind) throws IOException {
    assumeTrue(
        List.of(System.getProperty("secateur.test.real", "").split(",")).contains(kind),
        "only with -Preal-cuda or -Preal-cudnn");
    root = REAL.resolve("layout");
    clear();
    Files.createDirectories(root);
  }

  private void clear() throws IOException {
    if (Files.exists(root)) {
      Files.walkFileTree(
          root,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path f, BasicFileAttributes a) throws IOException {
              Files.delete(f);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path d, IOException e) throws IOException {
              Files.delete(d);
              return FileVisitResult.CONTINUE;
            }
          });
    }
  }

  private Path link(Path from, String folder) throws IOException {
    Path to = root.resolve(folder).resolve(from.getFileName());
    Files.createDirectories(to.getParent());
    Files.createLink(to, from.toRealPath());
    return to;
  }

  private static List<Path> files(String folder) throws IOException {
    try (Stream<Path> s = Files.list(REAL.resolve(folder))) {
      return s.filter(f -> !Files.isSymbolicLink(f)).sorted().toList();
    }
  }

  /** The package that pip has a library in. */
  private static String pip(Path library) {
    String name = library.getFileName().toString();
    for (String p : List.of("cudnn", "cublas", "cusolver", "cusparse", "nvjitlink", "nvrtc")) {
      if (name.toLowerCase(java.util.Locale.ROOT).startsWith("lib" + p)) {
        return p.equals("nvrtc") ? "cuda_nvrtc" : p;
      }
    }
    throw new IllegalArgumentException(name);
  }

  private List<String> run(Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                RealLibraries.class.getName()));
    command.addAll(List.of(args));
    ProcessBuilder b = new ProcessBuilder(command).redirectErrorStream(true);
    b.environment().clear();
    b.environment().put("PATH", "/nowhere");
    b.environment().put("HOME", elsewhere.toString());
    b.environment().putAll(environment);
    Path log = elsewhere.resolve("log");
    Process p = b.redirectOutput(log.toFile()).start();
    assertTrue(p.waitFor(120, TimeUnit.SECONDS), "still runs");
    List<String> lines = Files.readAllLines(log);
    lines.forEach(System.out::println);
    assertEquals(0, p.exitValue(), lines.toString());
    return lines;
  }

  private Map<String, String> layout(String kind) throws IOException {
    Map<String, String> environment = new HashMap<>();
    Path driver = REAL.resolve("driver").resolve("libcuda.so.1");
    Path python = root.resolve("env/bin/python3");
    String packages = "env/lib/python3.11/site-packages/nvidia/";
    for (Path f : files("cuda12")) {
      switch (kind) {
        case "pip", "linked python" -> link(f, packages + pip(f) + "/lib");
        case "conda" -> link(f, "env/lib");
        case "toolkit" -> link(f, "cuda/lib64");
        case "modules" -> link(f, "modules/" + pip(f));
        default -> throw new IllegalArgumentException(kind);
      }
    }
    Files.createDirectories(python.getParent());
    Files.writeString(python, "");
    environment.put("SECATEUR_CUDA_PATH", driver.getParent().toString());
    switch (kind) {
      case "pip" -> environment.put("PATH", python.getParent().toString());
      case "linked python" -> {
        Path link = root.resolve("usr/bin/python3");
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, python);
        environment.put("PATH", link.getParent().toString());
      }
      case "conda" -> {
        Files.createDirectories(root.resolve("env/conda-meta"));
        environment.put("CONDA_PREFIX", root.resolve("env").toString());
      }
      case "toolkit" -> environment.put("CUDA_HOME", root.resolve("cuda").toString());
      default -> {
        try (Stream<Path> s = Files.list(root.resolve("modules"))) {
          environment.put(
              "LD_LIBRARY_PATH", String.join(":", s.map(Path::toString).sorted().toList()));
        }
      }
    }
    return environment;
  }

  @ParameterizedTest
  @ValueSource(strings = {"pip", "linked python", "conda", "toolkit", "modules"})
  void cudnnAndTheRestLoadAndAnswer(String kind) throws IOException, InterruptedException {
    begin("cudnn");
    Map<String, String> environment = layout(kind);
    Path nvrtc;
    try (Stream<Path> all = Files.walk(root)) {
      nvrtc = all.filter(f -> f.endsWith("libnvrtc.so.12")).findFirst().orElseThrow();
    }
    System.out.println("---- " + kind);
    List<String> lines = run(environment, nvrtc.toString(), "all");
    for (String expected :
        List.of(
            "device: 0 GPUs",
            "NVRTC: " + nvrtc + " with libnvrtc-builtins.so.12.6",
            "majors: cuDNN and cuBLAS are both of CUDA 12",
            "NVRTC compiles: 0",
            "cuDNN version: 9.5.1",
            "cuSolver version: 11.7.1",
            "cuBLAS version: 12.6.3",
            "status 3000: CUDNN_STATUS_NOT_SUPPORTED",
            "descriptions: 384, refused or wrong: 0",
            "2^31 - 1 elements: 0",
            "2^31 elements: 3000",
            "graphs: 786, refused: 0",
            "a graph of another size: CUDNN_STATUS_BAD_PARAM at finalising"
                + " CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR")) {
      assertTrue(lines.contains(expected), expected);
    }
    clear();
  }

  /** cuDNN made for CUDA 13, of which only the compiler is real. */
  @Test
  void theCompilerOfCuda13FindsItsBuiltInCode() throws IOException, InterruptedException {
    begin("nvrtc");
    Path stub = Files.writeString(elsewhere.resolve("stub.c"), STUB);
    for (String soname :
        List.of(
            "libcublasLt.so.12",
            "libcublas.so.12",
            "libcusolver.so.11",
            "libcusolverMg.so.11",
            "libcudnn.so.9")) {
      Path map = Files.writeString(elsewhere.resolve("map"), soname + " { global: *; };");
      Path to = root.resolve("stubs").resolve(soname);
      Files.createDirectories(to.getParent());
      Process gcc =
          new ProcessBuilder(
                  "gcc",
                  "-shared",
                  "-fPIC",
                  "-Wl,-soname," + soname,
                  "-Wl,--version-script," + map,
                  "-o",
                  to.toString(),
                  stub.toString())
              .inheritIO()
              .start();
      assertEquals(0, gcc.waitFor());
    }
    for (Path f : files("nvrtc13")) {
      link(f, "env/lib/python3.11/site-packages/nvidia/cu13/lib");
    }
    Path python = root.resolve("env/bin/python3");
    Files.createDirectories(python.getParent());
    Files.writeString(python, "");
    Path nvrtc =
        root.resolve("env/lib/python3.11/site-packages/nvidia/cu13/lib").resolve("libnvrtc.so.13");
    System.out.println("---- cu13");
    List<String> lines =
        run(
            Map.of(
                "SECATEUR_CUDA_PATH",
                root.resolve("stubs") + ":" + REAL.resolve("driver"),
                "PATH",
                python.getParent().toString()),
            nvrtc.toString());
    assertTrue(lines.contains("device: 0 GPUs"));
    assertTrue(lines.contains("NVRTC compiles: 0"));
    assertTrue(
        lines.stream().anyMatch(l -> l.startsWith("NVRTC: " + nvrtc + " with libnvrtc-builtins")));
    assertTrue(
        lines.stream().anyMatch(l -> l.startsWith("majors: cuDNN is made for CUDA 13 but cuBLAS")));
    clear();
  }

  private static final String STUB =
      """
      long cudnnGetVersion(void) { return 91002; }
      long cudnnGetCudartVersion(void) { return 13000; }
      """;
}
