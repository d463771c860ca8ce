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
      l.companions().forEach(c -> locator.find(c).ifPresent(CudaLibraries::tryToLoad));
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
    loaded = true;
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

  /** By library, where it lies and its version, or what is missing and how to get it. */
  static Map<String, String> report() {
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
    return out;
  }
}
