package dev.secateur.device.cuda;

import dev.secateur.SecateurException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcudnn.JCudnn;
import jcuda.jcusolver.JCusolver;

/**
 * Loads CUDA's libraries by absolute path before JCuda asks for them by name: what is loaded
 * already serves, so that nobody has to set LD_LIBRARY_PATH.
 */
final class CudaLibraries {
  private static boolean loaded;

  private CudaLibraries() {}

  /**
   * @throws SecateurException naming the first library that is missing or does not load
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    LibraryLocator locator = LibraryLocator.system();
    CudaBridge bridge = CudaBridge.of(System.getenv());
    for (CudaLibrary l : CudaLibrary.ALL) {
      Optional<Path> bridged = bridge.library(locator, l);
      if (bridged.isPresent()) {
        List<Path> files = CudaBridge.before(locator, l);
        files.subList(0, files.size() - 1).forEach(CudaLibraries::tryToLoad);
        load(files.get(files.size() - 1), l);
        load(bridged.get(), l);
        continue;
      }
      Path file = locator.find(l.soname()).orElseThrow(() -> missing(locator, bridge, l));
      l.companions().forEach(c -> locator.beside(file, c).ifPresent(CudaLibraries::tryToLoad));
      load(file, l);
    }
    try {
      JCudaDriver.setExceptionsEnabled(false);
      JCublas2.setExceptionsEnabled(false);
      JCusolver.setExceptionsEnabled(false);
      JCudnn.setExceptionsEnabled(false);
      JCublas2.initialize();
      JCudnn.initialize();
    } catch (LinkageError e) {
      throw new SecateurException("no CUDA: JCuda does not load: " + line(e), e);
    }
    cudnn(locator).ifPresent(file -> loadForCudnn(locator, file));
    loaded = true;
  }

  private static Optional<Path> cudnn(LibraryLocator locator) {
    return locator.find(CudaLibrary.CUDNN);
  }

  /** The major version of CUDA that cuDNN is made for. */
  private static long cudnnMajor() {
    return JCudnn.cudnnGetCudartVersion() / 1000;
  }

  /**
   * What cuDNN opens by name when it first needs it, in the version of CUDA that it is made for:
   * the compiler of its kernels, whose built-in code comes first because the compiler looks for
   * that in the system's folders only, and cuBLAS.
   */
  private static void loadForCudnn(LibraryLocator locator, Path cudnn) {
    long major = cudnnMajor();
    compiler(locator, cudnn)
        .ifPresent(
            file -> {
              locator
                  .beside(file, "libnvrtc-builtins.so." + major + ".*")
                  .ifPresent(CudaLibraries::tryToLoad);
              tryToLoad(file);
            });
    locator.beside(cudnn, "libcublasLt.so." + major).ifPresent(CudaLibraries::tryToLoad);
  }

  private static Optional<Path> compiler(LibraryLocator locator, Path cudnn) {
    return locator.beside(cudnn, "libnvrtc.so." + cudnnMajor());
  }

  private static void load(Path file, CudaLibrary l) {
    Optional<String> problem = tryToLoad(file);
    if (problem.isPresent()) {
      throw new SecateurException(
          "no CUDA: " + file + " does not load: " + problem.get() + "; " + l.advice());
    }
  }

  private static SecateurException missing(
      LibraryLocator locator, CudaBridge bridge, CudaLibrary l) {
    return new SecateurException("no CUDA: " + l.name() + ": " + absence(locator, bridge, l));
  }

  static String absence(LibraryLocator locator, CudaBridge bridge, CudaLibrary l) {
    Optional<Path> successor = CudaBridge.successor(locator, l);
    if (successor.isPresent()) {
      return l.soname()
          + " is missing, CUDA 13's "
          + successor.get()
          + " serves through a bridge only"
          + (bridge.built(l) ? ", and " + bridge.folder() + " has one of another version" : "")
          + ": run "
          + CudaBridge.SCRIPT
          + ", or "
          + l.advice();
    }
    for (String other : l.others()) {
      Optional<Path> found = locator.find(other);
      if (found.isPresent()) {
        return l.soname() + " is missing, " + found.get() + " does not serve; " + l.advice();
      }
    }
    return l.soname() + " is missing; " + l.advice();
  }

  /** The problem, if there is one. */
  private static Optional<String> tryToLoad(Path file) {
    try {
      System.load(file.toAbsolutePath().toString());
      return Optional.empty();
    } catch (UnsatisfiedLinkError e) {
      boolean there = String.valueOf(e.getMessage()).contains("already loaded");
      return there ? Optional.empty() : Optional.of(line(e));
    }
  }

  private static String line(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }

  /**
   * By library, where it lies and its version, or what is missing and how to get it; and what does
   * not go together.
   */
  static synchronized Map<String, String> report() {
    LibraryLocator locator = LibraryLocator.system();
    CudaBridge bridge = CudaBridge.of(System.getenv());
    Map<String, String> out = new LinkedHashMap<>();
    for (CudaLibrary l : CudaLibrary.ALL) {
      Optional<Path> bridged = bridge.library(locator, l);
      if (bridged.isPresent()) {
        Path successor = CudaBridge.successor(locator, l).orElseThrow();
        out.put(l.name(), successor + " through " + bridged.get());
        continue;
      }
      Optional<Path> file = locator.find(l.soname());
      String version = file.map(f -> LibraryLocator.version(f, l.soname())).orElse("");
      out.put(
          l.name(),
          file.map(f -> version.isEmpty() ? f.toString() : f + " (" + version + ")")
              .orElseGet(() -> absence(locator, bridge, l)));
    }
    if (loaded) {
      cudnn(locator).ifPresent(file -> aroundCudnn(locator, bridge, file, out));
    }
    return out;
  }

  private static void aroundCudnn(
      LibraryLocator locator, CudaBridge bridge, Path cudnn, Map<String, String> out) {
    long major = cudnnMajor();
    String builtins = "libnvrtc-builtins.so." + major + ".*";
    out.put(
        "NVRTC",
        compiler(locator, cudnn)
            .map(
                file ->
                    locator
                        .beside(file, builtins)
                        .map(b -> file + " with " + b.getFileName())
                        .orElse(file + ", but " + builtins + " is missing"))
            .orElse(
                "libnvrtc.so."
                    + major
                    + " is missing: cuDNN cannot compile kernels as it runs; pip install"
                    + " nvidia-cuda-nvrtc"
                    + (major >= 13 ? "" : "-cu" + major)));
    CudaLibrary blas =
        CudaLibrary.ALL.stream().filter(l -> l.name().equals("cuBLAS")).findFirst().orElseThrow();
    int own = bridge.library(locator, blas).isPresent() ? 13 : 12;
    out.put(
        "majors",
        own == major
            ? "cuDNN and cuBLAS are both of CUDA " + own
            : "cuDNN is made for CUDA "
                + major
                + " but cuBLAS is of CUDA "
                + own
                + ": put the folders of one CUDA first in SECATEUR_CUDA_PATH");
  }
}
