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
 * Where CUDA's libraries lie: in SECATEUR_CUDA_PATH (or the system property secateur.cuda.path),
 * CUDA_HOME, /usr/local/cuda*, the system's library folders, where containers get the driver
 * (/usr/local/nvidia), and what pip installs for Python.
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
    for (String name : List.of("CUDA_HOME", "CUDA_PATH")) {
      if (!environment.getOrDefault(name, "").isEmpty()) {
        toolkit(Path.of(environment.get(name)), out);
      }
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
    for (Path prefix : pythons(environment, root)) {
      for (Path lib : matching(prefix.resolve("lib"), "python3*")) {
        for (String packages : List.of("site-packages", "dist-packages")) {
          for (Path each : matching(lib.resolve(packages).resolve("nvidia"), "*")) {
            out.add(each.resolve("lib"));
          }
        }
      }
    }
    return new LibraryLocator(out.stream().filter(Files::isDirectory).toList());
  }

  private static void toolkit(Path folder, Set<Path> out) {
    out.add(folder);
    for (String part : List.of("lib64", "lib", "targets/x86_64-linux/lib")) {
      out.add(folder.resolve(part));
    }
  }

  private static List<Path> pythons(Map<String, String> environment, Path root) {
    List<Path> out = new ArrayList<>();
    for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      if (!environment.getOrDefault(name, "").isEmpty()) {
        out.add(Path.of(environment.get(name)));
      }
    }
    if (!environment.getOrDefault("HOME", "").isEmpty()) {
      for (String part : List.of(".local", "miniconda3", "anaconda3", ".venv")) {
        out.add(Path.of(environment.get("HOME")).resolve(part));
      }
    }
    for (String folder : environment.getOrDefault("PATH", "").split(File.pathSeparator)) {
      Path python = Path.of(folder, "python3");
      if (!folder.isEmpty() && Files.exists(python)) { // of an environment that is in use
        out.add(python.resolve("../..").normalize());
      }
    }
    for (String part : List.of("usr/local", "usr", "opt/conda")) {
      out.add(root.resolve(part));
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
