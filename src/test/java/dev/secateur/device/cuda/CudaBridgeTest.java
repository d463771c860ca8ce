package dev.secateur.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bridge to CUDA 13, with libraries that stand in for CUDA 13's. */
class CudaBridgeTest {
  private static final Path SCRIPT = Path.of(CudaBridge.SCRIPT).toAbsolutePath();
  private static final CudaLibrary CUBLAS = named("libcublas.so.12");
  private static final CudaLibrary CUSOLVER = named("libcusolver.so.11");

  /** Of the functions' names in this version of the bridge. */
  private static final int LIST_OF_VERSION = 1033994487;

  @TempDir Path root;

  private static CudaLibrary named(String soname) {
    return CudaLibrary.ALL.stream().filter(l -> l.soname().equals(soname)).findFirst().get();
  }

  private static final String NEW_CUBLAS =
      """
      int cublasGetVersion_v2(void *h, int *v) { *v = h == (void *)7 ? 130007 : -1; return 0; }
      int cublasSgemm_v2(void *h, int ta, int tb, int m, int n, int k, const float *alpha,
          const float *a, int lda, const float *b, int ldb, const float *beta, float *c, int ldc) {
        c[0] = *alpha; c[1] = a[0]; c[2] = lda; c[3] = b[0]; c[4] = ldb; c[5] = *beta; c[6] = ldc;
        c[7] = ta * 10000 + tb * 1000 + m * 100 + n * 10 + k;
        return h == (void *)7 ? 42 : -1;
      }
      """;

  private static final String NEW_CUSOLVER =
      """
      int cusolverDnDsyevd(void *h, int jobz, int uplo, int n, double *a, int lda, double *w,
          double *work, int lwork, int *info) {
        w[0] = jobz * 1000 + uplo * 100 + n * 10 + lda; w[1] = a[0]; w[2] = work[0]; w[3] = lwork;
        *info = 5;
        return h == (void *)8 ? 43 : -1;
      }
      """;

  private static final String PROGRAM =
      """
      #include <stdio.h>
      int cublasGetVersion_v2(void *, int *);
      int cublasSgemm_v2(void *, int, int, int, int, int, const float *, const float *, int,
          const float *, int, const float *, float *, int);
      int cublasDestroy_v2(void *);
      int cusolverDnDsyevd(void *, int, int, int, double *, int, double *, double *, int, int *);
      int cusolverDnDestroy(void *);
      int main(void) {
        int v = 0, info = 0, s = cublasGetVersion_v2((void *)7, &v);
        float alpha = 1.5f, beta = 2.5f, a = 3.5f, b = 4.5f, c[8] = {0};
        double m = 6.5, w[4] = {0}, work = 7.5;
        printf("version %d %d\\n", s, v);
        s = cublasSgemm_v2((void *)7, 1, 2, 3, 4, 5, &alpha, &a, 11, &b, 12, &beta, c, 13);
        printf("sgemm %d:", s);
        for (int i = 0; i < 8; i++) printf(" %g", c[i]);
        s = cusolverDnDsyevd((void *)8, 1, 2, 3, &m, 4, w, &work, 99, &info);
        printf("\\nsyevd %d: %g %g %g %g %d\\n", s, w[0], w[1], w[2], w[3], info);
        printf("missing %d", cublasDestroy_v2((void *)7));
        printf(" %d\\n", cusolverDnDestroy((void *)8));
        return 0;
      }
      """;

  private String run(Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    ProcessBuilder b = new ProcessBuilder(command).directory(root.toFile());
    b.redirectErrorStream(true).redirectOutput(root.resolve("output").toFile());
    b.environment().remove("LD_LIBRARY_PATH");
    b.environment().putAll(environment);
    Process p = b.start();
    assertTrue(p.waitFor(60, TimeUnit.SECONDS), "still runs");
    String output = Files.readString(root.resolve("output"));
    assertEquals(0, p.exitValue(), output);
    return output;
  }

  private void standIn(String soname, String source) throws IOException, InterruptedException {
    Path map = Files.writeString(root.resolve("map"), soname + " { global: *; };");
    Path c = Files.writeString(root.resolve("standin.c"), source);
    Path file = Files.createDirectories(root.resolve("new")).resolve(soname);
    run(
        Map.of(),
        "gcc",
        "-shared",
        "-fPIC",
        "-Wl,-soname," + soname,
        "-Wl,--version-script," + map,
        "-o",
        file.toString(),
        c.toString());
  }

  private void bridgeAndProgram() throws IOException, InterruptedException {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(f -> Files.isExecutable(Path.of(f, "gcc"))),
        "no gcc");
    assumeTrue(System.getProperty("os.arch").equals("amd64"), "x86-64 only");
    run(Map.of("CUDA_HOME", "/nowhere"), SCRIPT.toString(), "bridge");
    assertEquals(CudaBridge.VERSION, Files.readString(root.resolve("bridge/version")).strip());
    Files.writeString(root.resolve("program.c"), PROGRAM);
    run(
        Map.of(),
        "gcc",
        "-o",
        "program",
        "program.c",
        "bridge/libcublas.so.12",
        "bridge/libcusolver.so.11",
        "bridge/libcusolverMg.so.11",
        "-Wl,-rpath," + root.resolve("bridge"));
  }

  @Test
  void callsArriveWithAllTheirArguments() throws Exception {
    bridgeAndProgram();
    standIn("libcublas.so.13", NEW_CUBLAS);
    standIn("libcusolver.so.12", NEW_CUSOLVER);
    String output = run(Map.of("LD_LIBRARY_PATH", root.resolve("new").toString()), "./program");
    System.out.print(output);
    assertEquals(
        List.of(
            "CUDA 13 bridge libcublas.so.12: cublasDestroy_v2:"
                + " libcublas.so.13 has no such function",
            "CUDA 13 bridge libcusolver.so.11: cusolverDnDestroy:"
                + " libcusolver.so.12 has no such function",
            "version 0 130007",
            "sgemm 42: 1.5 3.5 11 4.5 12 2.5 13 12345",
            "syevd 43: 1234 6.5 7.5 99 5",
            "missing 15 9"),
        output.lines().toList());
  }

  @Test
  void withoutCuda13ItSaysSoAndDoesNotCrash() throws Exception {
    bridgeAndProgram();
    Path nowhere = Files.createDirectories(root.resolve("nowhere"));
    assumeTrue(LibraryLocator.system().find("libcublas.so.13").isEmpty(), "CUDA 13 is here");
    String output = run(Map.of("LD_LIBRARY_PATH", nowhere.toString()), "./program");
    assertTrue(
        output.contains("CUDA 13 bridge libcublas.so.12: libcublas.so.13 does not load"), output);
    assertTrue(output.contains("version 15 0"), output);
    assertTrue(output.contains("missing 15 9"), output);
  }

  @Test
  void theBridgeHasEveryFunctionThatIsCalled() throws IOException {
    String script = Files.readString(SCRIPT);
    String lists = script.substring(script.indexOf("\ncublas=("), script.indexOf("\nfail()"));
    Set<String> bridged = new TreeSet<>();
    Matcher m = Pattern.compile("\\w+").matcher(lists);
    while (m.find()) {
      bridged.add(m.group());
    }
    bridged.removeAll(Set.of("cublas", "cusolver"));
    assertTrue(script.contains("\nversion=" + CudaBridge.VERSION + " "), "two versions");
    assertEquals(
        LIST_OF_VERSION,
        bridged.hashCode(),
        "other functions than before: raise the version in the script and in CudaBridge, then put"
            + " this number here");
    Set<String> called = new TreeSet<>();
    Pattern call = Pattern.compile("(?<!new )\\b(cublas|cusolver)([A-Z]\\w*)\\(");
    try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
      for (Path f : files.filter(p -> p.toString().endsWith(".java")).toList()) {
        Matcher c = call.matcher(Files.readString(f));
        while (c.find()) {
          String name = c.group(1) + c.group(2);
          boolean second = name.startsWith("cublas") && !name.equals("cublasGemmEx_new");
          called.add(second ? name + "_v2" : name.replace("_new", ""));
        }
      }
    }
    assertEquals(called, bridged);
  }

  private Path file(String path) throws IOException {
    Path f = root.resolve(path);
    Files.createDirectories(f.getParent());
    return Files.createFile(f);
  }

  @Test
  void theBridgeServesWhereOnlyCuda13IsThere() throws IOException {
    CudaBridge bridge = new CudaBridge(root.resolve("bridge"));
    Path lt = file("usr/local/cuda-13.0/lib64/libcublasLt.so.13");
    Path next = file("usr/local/cuda-13.0/lib64/libcublas.so.13");
    LibraryLocator locator = LibraryLocator.of(Map.of(), "", root);
    assertEquals(Optional.empty(), bridge.library(locator, CUBLAS));
    String absence = CudaLibraries.absence(locator, bridge, CUBLAS);
    assertTrue(absence.contains(next + " serves"), absence);
    assertTrue(absence.contains("run scripts/build-cuda13-bridge"), absence);
    Path built = file("bridge/libcublas.so.12");
    file("bridge/libcusolver.so.11");
    for (String old : List.of("", "1\n")) { // of a time without versions, and of an earlier one
      if (!old.isEmpty()) {
        Files.writeString(root.resolve("bridge/version"), old);
      }
      assertEquals(Optional.empty(), bridge.library(locator, CUBLAS));
      absence = CudaLibraries.absence(locator, bridge, CUBLAS);
      assertTrue(absence.contains(bridge.folder() + " has one of another version"), absence);
      assertTrue(absence.contains("run scripts/build-cuda13-bridge"), absence);
    }
    Files.writeString(root.resolve("bridge/version"), CudaBridge.VERSION + "\n");
    assertEquals(Optional.of(built), bridge.library(locator, CUBLAS));
    assertEquals(List.of(lt, next), CudaBridge.before(locator, CUBLAS));
    assertEquals(Optional.empty(), bridge.library(locator, CUSOLVER));
    file("usr/local/cuda-13.0/lib64/libcublas.so.12");
    assertEquals(Optional.empty(), bridge.library(locator, CUBLAS));
  }

  @Test
  void itLiesInTheCacheUnlessTold() {
    Path home = Path.of("/h/.cache/secateur/cuda13-bridge");
    assertEquals(home, CudaBridge.of(Map.of("HOME", "/h")).folder());
    Map<String, String> cache = Map.of("HOME", "/h", "XDG_CACHE_HOME", "/c");
    assertEquals(Path.of("/c/secateur/cuda13-bridge"), CudaBridge.of(cache).folder());
    Map<String, String> own = Map.of("HOME", "/h", "SECATEUR_CUDA_BRIDGE", "/b");
    assertEquals(Path.of("/b"), CudaBridge.of(own).folder());
  }
}
