package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Libraries are found where toolkits, distributions and pip put them. */
class LibraryLocatorTest {
  @TempDir Path root;

  private Path library(String path) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    return Files.createFile(file);
  }

  private Optional<Path> find(Map<String, String> environment, String own, String soname) {
    return LibraryLocator.of(environment, own, root).find(soname);
  }

  @Test
  void nothingIsFoundOnAnEmptyMachine() {
    assertEquals(Optional.empty(), find(Map.of(), "", "libcuda.so.1"));
  }

  @Test
  void eachPlaceServesAndTheNearerOneWins() throws IOException {
    String name = "libcudnn.so.9";
    Path pip = library("opt/conda/lib/python3.12/site-packages/nvidia/cudnn/lib/" + name);
    assertEquals(Optional.of(pip), find(Map.of(), "", name));
    Path debian = library("usr/lib/x86_64-linux-gnu/" + name);
    assertEquals(Optional.of(debian), find(Map.of(), "", name));
    Path old = library("usr/local/cuda-12.2/lib64/" + name);
    assertEquals(Optional.of(old), find(Map.of(), "", name));
    Path toolkit = library("usr/local/cuda-12.6/lib64/" + name);
    assertEquals(Optional.of(toolkit), find(Map.of(), "", name));
    Path home = library("home/cuda/lib64/" + name);
    Map<String, String> cudaHome = Map.of("CUDA_HOME", root.resolve("home/cuda").toString());
    assertEquals(Optional.of(home), find(cudaHome, "", name));
    Path own = library("own/" + name);
    Map<String, String> both =
        Map.of(
            "CUDA_HOME",
            root.resolve("home/cuda").toString(),
            "SECATEUR_CUDA_PATH",
            "/nowhere:" + root.resolve("own"));
    assertEquals(Optional.of(own), find(both, "", name));
    Path property = library("property/" + name);
    assertEquals(Optional.of(property), find(both, root.resolve("property").toString(), name));
  }

  @Test
  void aHomesPythonServes() throws IOException {
    Path pip = library("me/.local/lib/python3.11/site-packages/nvidia/cublas/lib/libcublas.so.12");
    Map<String, String> home = Map.of("HOME", root.resolve("me").toString());
    assertEquals(Optional.of(pip), find(home, "", "libcublas.so.12"));
  }

  @Test
  void thePythonOnThePathServes() throws IOException {
    Path python = library("opt/torch/.venv/bin/python3");
    Path pip =
        library("opt/torch/.venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcublas.so.13");
    Map<String, String> path = Map.of("PATH", "/nowhere:" + python.getParent());
    assertEquals(Optional.of(pip), find(path, "", "libcublas.so.13"));
  }

  @Test
  void aContainersDriverServes() throws IOException {
    Path driver = library("usr/local/nvidia/lib64/libcuda.so.1");
    assertEquals(Optional.of(driver), find(Map.of(), "", "libcuda.so.1"));
  }

  @Test
  void versionsAreReadFromWhatALinkLeadsTo() throws IOException {
    Path file = library("usr/lib/x86_64-linux-gnu/libcublas.so.12.6.4.1");
    Path link =
        Files.createSymbolicLink(file.resolveSibling("libcublas.so.12"), file.getFileName());
    assertEquals("12.6.4.1", LibraryLocator.version(link, "libcublas.so.12"));
  }
}
