package dev.secateur.device.cuda;

import dev.secateur.util.CacheFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The bridge that scripts/build-cuda13-bridge builds: libraries with the names that JCuda is linked
 * to, which jump to those of CUDA 13. Nothing here builds it.
 *
 * @param folder where it lies, whether it exists or not
 */
record CudaBridge(Path folder) {
  static final String SCRIPT = "scripts/build-cuda13-bridge";

  /** What the script writes into the file "version": raised whenever it bridges other functions. */
  static final String VERSION = "2";

  /** In SECATEUR_CUDA_BRIDGE, or where the script puts it unless told. */
  static CudaBridge of(Map<String, String> environment) {
    String own = environment.getOrDefault("SECATEUR_CUDA_BRIDGE", "");
    if (!own.isEmpty()) {
      return new CudaBridge(Path.of(own));
    }
    return new CudaBridge(CacheFolder.of(environment).resolve("cuda13-bridge"));
  }

  /** CUDA 13's library, where it is the one that would have to serve. */
  static Optional<Path> successor(LibraryLocator locator, CudaLibrary l) {
    boolean needed = !l.successors().isEmpty() && locator.find(l.soname()).isEmpty();
    return needed ? locator.find(l.successors().get(l.successors().size() - 1)) : Optional.empty();
  }

  /**
   * The bridge's library, where it serves: CUDA 13's is there, the one asked for is not, and the
   * bridge has the functions that are called now.
   */
  Optional<Path> library(LibraryLocator locator, CudaLibrary l) {
    return successor(locator, l).isPresent() && built(l) && version().equals(VERSION)
        ? Optional.of(file(l))
        : Optional.empty();
  }

  /** Whether there is a library, of any version. */
  boolean built(CudaLibrary l) {
    return Files.exists(file(l));
  }

  private Path file(CudaLibrary l) {
    return folder.resolve(l.soname());
  }

  private String version() {
    try {
      return Files.readString(folder.resolve("version")).strip();
    } catch (IOException e) {
      return ""; // built before there were versions, or half built
    }
  }

  /**
   * What is loaded before the bridge's library, in this order: the one that it leads to last, and
   * what that needs from beside it, because some names are those of CUDA 12's too.
   */
  static List<Path> before(LibraryLocator locator, CudaLibrary l) {
    List<Path> out = new ArrayList<>();
    List<String> names = l.successors();
    locator
        .find(names.get(names.size() - 1))
        .ifPresent(
            main -> {
              names
                  .subList(0, names.size() - 1)
                  .forEach(s -> locator.beside(main, s).ifPresent(out::add));
              out.add(main);
            });
    return out;
  }
}
