package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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

  @Test
  void anActiveCondaEnvironmentServes() throws IOException {
    Path cudnn = library("envs/torch/lib/libcudnn.so.9");
    Map<String, String> conda = Map.of("CONDA_PREFIX", root.resolve("envs/torch").toString());
    assertEquals(Optional.empty(), find(conda, "", "libcudnn.so.9"), "no conda-meta: not conda's");
    Files.createDirectories(root.resolve("envs/torch/conda-meta"));
    assertEquals(Optional.of(cudnn), find(conda, "", "libcudnn.so.9"));
    library("usr/local/cuda/lib64/libcudnn.so.9");
    assertEquals(Optional.of(cudnn), find(conda, "", "libcudnn.so.9"), "before the machine's");
  }

  @Test
  void theLoadersOwnPathAndCudnnsServe() throws IOException {
    Path module = library("opt/modules/cuda/libcublas.so.12");
    Map<String, String> path = Map.of("LD_LIBRARY_PATH", ":/nowhere:" + module.getParent());
    assertEquals(Optional.of(module), find(path, "", "libcublas.so.12"));
    for (String name : List.of("CUDNN_PATH", "CUDNN_HOME")) {
      Path cudnn = library("opt/" + name + "/lib/libcudnn.so.9");
      Map<String, String> home = Map.of(name, root.resolve("opt/" + name).toString());
      assertEquals(Optional.of(cudnn), find(home, "", "libcudnn.so.9"));
    }
  }

  /** python3 on PATH is a link to a link into an environment. */
  @Test
  void linksOfPythonAreFollowedHopByHop() throws IOException {
    Path python = library("opt/last/bin/python3.12");
    Path middle = root.resolve("opt/middle/bin/python3");
    Path first = root.resolve("opt/first/bin/python3");
    Files.createDirectories(middle.getParent());
    Files.createDirectories(first.getParent());
    Files.createSymbolicLink(middle, python);
    Files.createSymbolicLink(first, Path.of("../../middle/bin/python3"));
    Map<String, String> path = Map.of("PATH", first.getParent().toString());
    for (String prefix : List.of("last", "middle", "first")) {
      Path pip =
          library("opt/" + prefix + "/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9");
      assertEquals(Optional.of(pip), find(path, "", "libcudnn.so.9"), prefix);
    }
    Path loop = root.resolve("opt/loop/bin/python3");
    Files.createDirectories(loop.getParent());
    Files.createSymbolicLink(loop, loop.getFileName());
    Map<String, String> loops = Map.of("PATH", loop.getParent().toString());
    assertEquals(Optional.empty(), find(loops, "", "libcublas.so.12"));
  }

  /** A toolkit of CUDA 12 on the machine, and CUDA 13 beside PyTorch's cuDNN. */
  @Test
  void whatBelongsToALibraryIsTakenFromBesideIt() throws IOException {
    String packages = "opt/conda/lib/python3.12/site-packages/nvidia/";
    Path cudnn = library(packages + "cudnn/lib/libcudnn.so.9");
    Path sparse = library(packages + "cu13/lib/libcusparse.so.12");
    Path graph = library(packages + "cudnn/lib/libcudnn_graph.so.9");
    Path older = library("usr/local/cuda-12.6/lib64/libcusparse.so.12");
    library("usr/local/cuda-12.6/lib64/libcudnn_graph.so.9");
    Path nvrtc = library("usr/local/cuda-12.6/lib64/libnvrtc.so.12");
    library("usr/local/cuda-12.6/lib64/libnvrtc-builtins.so.12.5");
    Path builtins = library("usr/local/cuda-12.6/lib64/libnvrtc-builtins.so.12.6");
    LibraryLocator locator = LibraryLocator.of(Map.of(), "", root);
    assertEquals(Optional.of(older), locator.find("libcusparse.so.12"));
    assertEquals(Optional.of(sparse), locator.beside(cudnn, "libcusparse.so.12"));
    assertEquals(Optional.of(graph), locator.beside(cudnn, "libcudnn_graph.so.9"));
    assertEquals(Optional.of(nvrtc), locator.beside(cudnn, "libnvrtc.so.12"), "elsewhere");
    assertEquals(Optional.of(builtins), locator.beside(nvrtc, "libnvrtc-builtins.so.12.*"));
    assertEquals(Optional.empty(), locator.beside(nvrtc, "libnvrtc-builtins.so.13.*"));
  }
}
