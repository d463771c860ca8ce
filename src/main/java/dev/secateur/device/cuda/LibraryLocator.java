package dev.secateur.device.cuda;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Where CUDA's libraries lie, in this order: SECATEUR_CUDA_PATH (or the system property
 * secateur.cuda.path), CUDNN_PATH, CUDNN_HOME, CUDA_HOME, CUDA_PATH, LD_LIBRARY_PATH, the
 * environment that is active (CONDA_PREFIX, VIRTUAL_ENV), /usr/local/cuda*, where containers get
 * the driver (/usr/local/nvidia), the system's library folders, and what pip or conda installed for
 * the Python on PATH, through links, and in the usual places.
 */
final class LibraryLocator {
  private final List<Path> folders;

  private LibraryLocator(List<Path> folders) {
    this.folders = folders;
  }

  /** The folders of this machine. */
  static LibraryLocator system() {
    return of(System.getenv(), System.getProperty("secateur.cuda.path", ""), Path.of("/"));
  }

  /**
   * @param own folders before all others, separated by colons
   * @param root of the file system
   */
  static LibraryLocator of(Map<String, String> environment, String own, Path root) {
    Set<Path> out = new LinkedHashSet<>();
    for (String list : List.of(own, environment.getOrDefault("SECATEUR_CUDA_PATH", ""))) {
      for (String folder : list.split(File.pathSeparator)) {
        if (!folder.isEmpty()) {
          toolkit(Path.of(folder), out);
        }
      }
    }
    for (String name : List.of("CUDNN_PATH", "CUDNN_HOME", "CUDA_HOME", "CUDA_PATH")) {
      given(environment, name).ifPresent(folder -> toolkit(folder, out));
    }
    for (String folder : environment.getOrDefault("LD_LIBRARY_PATH", "").split(":")) {
      if (!folder.isEmpty()) {
        out.add(Path.of(folder));
      }
    }
    for (String name : List.of("CONDA_PREFIX", "VIRTUAL_ENV")) {
      given(environment, name).ifPresent(prefix -> python(prefix, out));
    }
    List<Path> toolkits = matching(root.resolve("usr/local"), "cuda*");
    Collections.reverse(toolkits); // the newest first
    toolkits.forEach(t -> toolkit(t, out));
    toolkit(root.resolve("usr/local/nvidia"), out);
    for (String folder :
        List.of(
            "usr/lib/x86_64-linux-gnu",
            "lib/x86_64-linux-gnu",
            "usr/lib/x86_64-linux-gnu/nvidia/current",
            "usr/lib64",
            "usr/lib/wsl/lib",
            "usr/lib")) {
      out.add(root.resolve(folder));
    }
    pythons(environment, root).forEach(prefix -> python(prefix, out));
    return new LibraryLocator(out.stream().filter(Files::isDirectory).toList());
  }

  private static void toolkit(Path folder, Set<Path> out) {
    out.add(folder);
    for (String part : List.of("lib64", "lib", "targets/x86_64-linux/lib")) {
      out.add(folder.resolve(part));
    }
  }

  private static Optional<Path> given(Map<String, String> environment, String name) {
    return Optional.of(environment.getOrDefault(name, "")).filter(v -> !v.isEmpty()).map(Path::of);
  }

  /** What conda puts into lib, and pip into packages. */
  private static void python(Path prefix, Set<Path> out) {
    Path libraries = prefix.resolve("lib");
    if (Files.isDirectory(prefix.resolve("conda-meta"))) {
      out.add(libraries);
    }
    for (Path lib : matching(libraries, "python3*")) {
      for (String packages : List.of("site-packages", "dist-packages")) {
        for (Path each : matching(lib.resolve(packages).resolve("nvidia"), "*")) {
          out.add(each.resolve("lib"));
        }
      }
    }
  }

  private static List<Path> pythons(Map<String, String> environment, Path root) {
    List<Path> out = new ArrayList<>();
    given(environment, "HOME")
        .ifPresent(
            home ->
                List.of(".local", "miniconda3", "anaconda3", "miniforge3", ".venv")
                    .forEach(part -> out.add(home.resolve(part))));
    for (String folder : environment.getOrDefault("PATH", "").split(File.pathSeparator)) {
      if (!folder.isEmpty()) {
        links(Path.of(folder, "python3"))
            .forEach(python -> out.add(python.resolve("../..").normalize()));
      }
    }
    for (String part : List.of("usr/local", "usr", "opt/conda")) {
      out.add(root.resolve(part));
    }
    return out;
  }

  /** A file and what it links to, link by link: each may lie in an environment of its own. */
  private static List<Path> links(Path file) {
    List<Path> out = new ArrayList<>();
    Path at = file.toAbsolutePath().normalize();
    try {
      while (Files.exists(at) && !out.contains(at)) {
        out.add(at);
        if (Files.isSymbolicLink(at)) {
          at = at.resolveSibling(Files.readSymbolicLink(at)).normalize();
        }
      }
    } catch (IOException e) {
      return out; // unreadable: as far as it goes
    }
    return out;
  }

  /** In the order of their names; none where there is no such folder. */
  private static List<Path> matching(Path folder, String glob) {
    List<Path> out = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> s = Files.newDirectoryStream(folder, glob)) {
        s.forEach(out::add);
      } catch (IOException e) {
        return List.of(); // unreadable: as good as absent
      }
    }
    Collections.sort(out);
    return out;
  }

  /** The first folder's file of that name. */
  Optional<Path> find(String soname) {
    return folders.stream().map(f -> f.resolve(soname)).filter(Files::exists).findFirst();
  }

  /**
   * What belongs to a library: a file of its own folder, or of the packages that pip put beside its
   * package, before all other folders.
   *
   * @param glob a name, or a pattern whose last match counts
   */
  Optional<Path> beside(Path library, String glob) {
    Path own = library.toAbsolutePath().normalize().getParent();
    List<Path> near = new ArrayList<>(List.of(own));
    if (own.endsWith("lib") && own.getParent().getParent() != null) {
      matching(own.getParent().getParent(), "*").forEach(p -> near.add(p.resolve("lib")));
    }
    near.addAll(folders);
    return near.stream()
        .map(f -> matching(f, glob))
        .filter(files -> !files.isEmpty())
        .map(files -> files.get(files.size() - 1))
        .findFirst();
  }

  /** A file's version, as the names that it links to say; empty if they say nothing more. */
  static String version(Path file, String soname) {
    try {
      String real = file.toRealPath().getFileName().toString();
      String stem = soname.substring(0, soname.indexOf(".so") + 4);
      boolean more = real.startsWith(stem) && real.length() > soname.length();
      return more ? real.substring(stem.length()) : "";
    } catch (IOException e) {
      return "";
    }
  }
}
