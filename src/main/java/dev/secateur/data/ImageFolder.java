package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * JPEG and PNG files in one folder a class, as torchvision's ImageFolder takes them, decoded when
 * read: the shorter side is resized, the centre is cropped.
 */
final class ImageFolder implements Dataset {
  private static final String EXPECTED = "CLASS/IMAGE.jpg (.jpeg, .png)";
  private static final int NAMED = 100;

  private final FolderSpec spec;
  private final Path root;
  private final List<String> names;
  private final String[] files;
  private final int[] labels;
  private final Unreadable unreadable;
  private final BitSet lost = new BitSet();
  private final int found;
  private final ThreadLocal<ImageDecoder> decoders = ThreadLocal.withInitial(ImageDecoder::new);
  private final ThreadLocal<Triangle> resizers = ThreadLocal.withInitial(Triangle::new);

  private ImageFolder(
      FolderSpec spec,
      Path root,
      List<String> names,
      List<String> files,
      List<Integer> labels,
      Unreadable unreadable) {
    this.spec = spec;
    this.root = root;
    this.names = names;
    this.unreadable = unreadable;
    this.found = files.size();
    String[] problems = problems(root, files);
    int[] good = IntStream.range(0, found).filter(i -> problems[i].isEmpty()).toArray();
    this.files = IntStream.of(good).mapToObj(files::get).toArray(String[]::new);
    this.labels = IntStream.of(good).map(labels::get).toArray();
    if (good.length < found) {
      report(files, problems, found - good.length);
    }
    if (good.length == 0) {
      throw new SecateurException(
          root + ": none of " + found + " images can be read, such as " + files.get(0));
    }
  }

  /**
   * Lists the files and looks at their first and last bytes; nothing is decoded.
   *
   * @throws SecateurException when folders are not as expected, a class has no file, or none is
   *     good
   */
  static ImageFolder open(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    Path train = spec.dir().resolve("train");
    Path root = split == Split.TRAIN ? train : spec.dir().resolve("test");
    if (split == Split.TEST && !Files.isDirectory(root)) {
      root = spec.dir().resolve("val");
    }
    if (!Files.isDirectory(root)) {
      if (!Files.exists(spec.dir())) {
        throw new NoSuchFileException(spec.dir().toString());
      }
      String wanted = split == Split.TRAIN ? "train" : "test or val";
      throw new SecateurException(
          spec.dir()
              + ": has no folder "
              + wanted
              + "; expected "
              + spec.dir().resolve(split == Split.TRAIN ? "train" : "test")
              + "/"
              + EXPECTED);
    }
    List<String> here = classes(root);
    List<String> names = here;
    if (split == Split.TEST && Files.isDirectory(train)) {
      names = classes(train); // a class may be missing here; the numbers stay those of training
      for (String name : here) {
        if (!names.contains(name)) {
          throw new SecateurException(
              root.resolve(name) + ": there is no class of this name in " + train);
        }
      }
    }
    List<String> files = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    for (String name : here) {
      List<String> of = images(root, name);
      int label = names.indexOf(name);
      for (String f : of) {
        files.add(f);
        labels.add(label);
      }
    }
    return new ImageFolder(spec, root, names, files, labels, unreadable);
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

  private static String[] problems(Path root, List<String> files) {
    return IntStream.range(0, files.size())
        .parallel()
        .mapToObj(
            i -> {
              try {
                return FileCheck.problem(root.resolve(files.get(i)));
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            })
        .toArray(String[]::new);
  }

  private void report(List<String> all, String[] problems, int bad) {
    StringBuilder text = new StringBuilder();
    int named = 0;
    for (int i = 0; i < problems.length && named < NAMED; i++) {
      if (!problems[i].isEmpty()) {
        text.append(named++ == 0 ? "" : ", ");
        text.append(all.get(i)).append(" (").append(problems[i]).append(')');
      }
    }
    text.append(bad > named ? " and " + (bad - named) + " more" : "");
    unreadable.report("folder " + root, bad, found, text.toString());
  }

  @Override
  public int size() {
    return files.length;
  }

  @Override
  public int channels() {
    return spec.channels();
  }

  @Override
  public int height() {
    return spec.height();
  }

  @Override
  public int width() {
    return spec.width();
  }

  @Override
  public List<String> classNames() {
    return names;
  }

  @Override
  public int label(int index) {
    return labels[index];
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    byte[] file;
    try {
      file = Files.readAllBytes(root.resolve(files[index]));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a disk that fails is not a damaged image
    }
    ImageDecoder d = decoders.get();
    try {
      d.decode(file, spec.channels());
    } catch (IOException | RuntimeException e) {
      lose(index, e);
      return false;
    }
    resizers
        .get()
        .write(
            d.planes(),
            spec.channels(),
            d.width(),
            d.height(),
            spec.resize(),
            spec.width(),
            spec.height(),
            dst,
            offset);
    return true;
  }

  private void lose(int index, Exception e) {
    int so;
    synchronized (lost) {
      if (lost.get(index)) {
        return;
      }
      lost.set(index);
      so = lost.cardinality() + found - files.length;
    }
    String why = e.getMessage() == null ? e.toString() : e.getMessage();
    unreadable.report("folder " + root, so, found, files[index] + " (" + why + ")");
  }
}
