package dev.secateur.util;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Folders as wholes. */
public final class Folders {
  private Folders() {}

  /** Deletes a folder and all that is in it; one that is not there is no failure. */
  public static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    List<Path> inmostFirst;
    try (Stream<Path> all = Files.walk(folder)) {
      inmostFirst = all.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path p : inmostFirst) {
      Files.delete(p);
    }
  }
}
