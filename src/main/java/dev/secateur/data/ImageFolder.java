package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * JPEG and PNG files in one folder a class, as torchvision's ImageFolder takes them, or in folders
 * that mean nothing.
 */
final class ImageFolder {
  private static final String EXPECTED = "CLASS/IMAGE.jpg (.jpeg, .png)";

  private static final List<String> TEST = List.of("test", "val", "valid", "validation");

  private ImageFolder() {}

  /**
   * Lists the files and looks at their first and last bytes; nothing is decoded.
   *
   * @throws SecateurException when folders are not as expected, a class has no file, or none is
   *     good
   */
  static Dataset open(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    Path train = spec.place().resolve("train");
    Path root = folder(spec.place(), split);
    if (!Files.isDirectory(root)) {
      if (!Files.exists(spec.place())) {
        throw new NoSuchFileException(spec.place().toString());
      }
      String wanted = split == Split.TRAIN ? "train" : "test, val, valid or validation";
      throw new SecateurException(
          spec.place()
              + ": has no folder "
              + wanted
              + "; expected "
              + spec.place().resolve(split == Split.TRAIN ? "train" : "test")
              + "/"
              + EXPECTED);
    }
    List<String> here = classes(root);
    // a class may be missing here; the numbers stay those of the file or of training
    List<String> names =
        spec.classes().isPresent()
            ? named(spec.classes().get())
            : split == Split.TEST && Files.isDirectory(train) ? classes(train) : here;
    Map<String, Integer> numbers = new HashMap<>();
    names.forEach(n -> numbers.put(n, numbers.size()));
    for (String name : here) {
      if (!numbers.containsKey(name)) {
        throw new SecateurException(
            root.resolve(name)
                + ": there is no class of this name in "
                + spec.classes().orElse(train));
      }
    }
    List<String> files = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    for (String name : here) {
      List<String> of = images(root, name);
      int label = numbers.get(name);
      for (String f : of) {
        files.add(f);
        labels.add(label);
      }
    }
    return new ImageFiles(
        spec,
        new LooseFiles(root, files),
        "folder " + root,
        names,
        labels.stream().mapToInt(i -> i).toArray(),
        Labels.CLASSES,
        unreadable);
  }

  /**
   * All files below a folder, without classes; where it has folders train and test or val, those
   * below the split's.
   *
   * @throws SecateurException when there are none, or none is good
   */
  static Dataset unlabelled(FolderSpec spec, Split split, Unreadable unreadable)
      throws IOException {
    return unlabelled(spec, parted(spec.place(), split), unreadable);
  }

  static ImageFiles unlabelled(FolderSpec spec, Path root, Unreadable unreadable)
      throws IOException {
    List<String> files = images(root, "");
    return new ImageFiles(
        spec,
        new LooseFiles(root, files),
        "images " + root,
        List.of("image"),
        new int[files.size()],
        Labels.NONE,
        unreadable);
  }

  /** The split's folder, or the place itself where it has none for each split. */
  static Path parted(Path place, Split split) throws NoSuchFileException {
    if (!Files.isDirectory(place)) {
      throw new NoSuchFileException(place + " (a folder of images)");
    }
    boolean parted =
        Files.isDirectory(folder(place, Split.TRAIN))
            && Files.isDirectory(folder(place, Split.TEST));
    return parted ? folder(place, split) : place;
  }

  /** The first of a split's names that is there, or of them all. */
  static Path folder(Path place, Split split) {
    List<String> names = split == Split.TRAIN ? List.of("train") : TEST;
    return names.stream()
        .map(place::resolve)
        .filter(Files::isDirectory)
        .findFirst()
        .orElse(place.resolve(names.get(0)));
  }

  /**
   * A name a line.
   *
   * @throws SecateurException for a name that comes twice, or none at all
   */
  static List<String> named(Path file) throws IOException {
    List<String> lines = Files.readAllLines(file).stream().map(String::strip).toList();
    List<String> names = lines.stream().filter(l -> !l.isEmpty()).toList();
    if (names.isEmpty()) {
      throw new SecateurException(file + ": has no names; expected a class's name a line");
    }
    Set<String> seen = new HashSet<>();
    for (String name : names) {
      if (!seen.add(name)) {
        throw new SecateurException(
            file + ": " + name + " comes twice; expected a class's name a line");
      }
    }
    return names;
  }

  private static List<String> classes(Path root) throws IOException {
    try (Stream<Path> in = Files.list(root)) {
      List<String> names =
          in.filter(Files::isDirectory)
              .map(p -> p.getFileName().toString())
              .filter(n -> !n.startsWith("."))
              .sorted()
              .toList();
      if (names.isEmpty()) {
        throw new SecateurException(
            root + ": has no class folders; expected " + root + "/" + EXPECTED);
      }
      return names;
    }
  }

  /** Paths from the root, in torchvision's order. */
  private static List<String> images(Path root, String name) throws IOException {
    try (Stream<Path> in =
        Files.find(
            root.resolve(name),
            Integer.MAX_VALUE,
            (p, a) -> a.isRegularFile() && image(p),
            FileVisitOption.FOLLOW_LINKS)) {
      List<String> files =
          in.sorted(
                  Comparator.comparing((Path p) -> p.getParent().toString())
                      .thenComparing(p -> p.getFileName().toString()))
              .map(p -> root.relativize(p).toString())
              .toList();
      if (files.isEmpty()) {
        throw new SecateurException(
            root.resolve(name) + ": has no images; expected .jpg, .jpeg or .png files");
      }
      return files;
    }
  }

  private static boolean image(Path p) {
    String name = p.getFileName().toString().toLowerCase(Locale.ROOT);
    return !name.startsWith(".")
        && (name.endsWith(".jpg") || name.endsWith(".jpeg") || name.endsWith(".png"));
  }
}
