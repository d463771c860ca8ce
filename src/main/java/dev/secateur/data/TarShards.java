package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarFile;

/**
 * Images in tar files, which are read where they lie: {@code KEY.jpg} (.jpeg, .png) and beside it
 * {@code KEY.cls} with a class's number, as WebDataset writes them; or {@code CLASS/NAME.jpg}.
 */
final class TarShards implements ImageSource {
  private static final Pattern RANGE = Pattern.compile("\\{(\\d+)\\.\\.(\\d+)\\}");
  private static final List<String> IMAGES = List.of("jpg", "jpeg", "png");
  private static final String EXPECTED = "KEY.jpg and KEY.cls, or CLASS/NAME.jpg (.jpeg, .png)";
  private static final int MOST_SHARDS = 1 << 20;
  private static final int HEADER = 512;

  private final List<Path> shards;
  private final FileChannel[] channels;
  private final int[] shard;
  private final long[] offset;
  private final int[] size;

  /** An image that a shard has, and what it says of the class: a number, or a folder's name. */
  private record Found(long offset, int size, int number, String folder) {}

  private TarShards(List<Path> shards, List<List<Found>> found) throws IOException {
    this.shards = shards;
    int n = found.stream().mapToInt(List::size).sum();
    shard = new int[n];
    offset = new long[n];
    size = new int[n];
    channels = new FileChannel[shards.size()];
    int at = 0;
    for (int s = 0; s < channels.length; s++) {
      channels[s] = FileChannel.open(shards.get(s), StandardOpenOption.READ);
      for (Found f : found.get(s)) {
        shard[at] = s;
        offset[at] = f.offset();
        size[at++] = f.size();
      }
    }
  }

  /**
   * @param spec its place is a file, several by {@code {000..146}} in the name, for any split, or a
   *     folder with such files for each
   * @throws SecateurException for files that are no tar, or have no images, or whose images say no
   *     class
   */
  static Dataset open(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    List<Path> shards = shards(spec.place(), split);
    List<List<Found>> found =
        IntStream.range(0, shards.size()).parallel().mapToObj(i -> index(shards.get(i))).toList();
    List<Found> all = found.stream().flatMap(List::stream).toList();
    if (all.isEmpty()) {
      throw new SecateurException(spec.place() + ": has no images; expected " + EXPECTED);
    }
    boolean numbered = all.get(0).folder().isEmpty();
    if (all.stream().anyMatch(f -> f.folder().isEmpty() != numbered)) {
      throw new SecateurException(
          spec.place() + ": some images have a .cls and others a folder; expected " + EXPECTED);
    }
    List<String> names =
        spec.classes().isPresent()
            ? ImageFolder.named(spec.classes().get())
            : numbered
                ? IntStream.rangeClosed(0, all.stream().mapToInt(Found::number).max().getAsInt())
                    .mapToObj(Integer::toString)
                    .toList()
                : all.stream().map(Found::folder).distinct().sorted().toList();
    Map<String, Integer> numbers = new TreeMap<>();
    names.forEach(n -> numbers.put(n, numbers.size()));
    int[] labels = new int[all.size()];
    for (int i = 0; i < labels.length; i++) {
      Found f = all.get(i);
      Integer label = numbered ? Integer.valueOf(f.number()) : numbers.get(f.folder());
      if (label == null || label >= names.size()) {
        throw new SecateurException(
            spec.place()
                + ": there is no class "
                + (numbered ? f.number() : f.folder())
                + " in "
                + spec.classes().get()
                + ", which has "
                + names.size());
      }
      labels[i] = label;
    }
    return new ImageFiles(
        spec,
        new TarShards(shards, found),
        "tar " + spec.place(),
        names,
        labels,
        Labels.CLASSES,
        unreadable);
  }

  private static List<Path> shards(Path place, Split split) throws IOException {
    if (Files.isDirectory(place)) {
      Path parted = ImageFolder.folder(place, split);
      Path folder = Files.isDirectory(parted) ? parted : place;
      try (Stream<Path> in = Files.list(folder)) {
        List<Path> all =
            in.filter(p -> p.getFileName().toString().endsWith(".tar"))
                .filter(p -> folder == parted || of(split, p.getFileName().toString()))
                .sorted()
                .toList();
        if (all.isEmpty()) {
          throw new SecateurException(
              place
                  + ": has no tar files for "
                  + split
                  + "; expected them in "
                  + parted
                  + ", or with "
                  + (split == Split.TRAIN ? "train" : "test or val")
                  + " in their names");
        }
        return all;
      }
    }
    List<Path> all = new ArrayList<>();
    expand(place.toString(), all);
    for (Path p : all) {
      if (!Files.isRegularFile(p)) {
        throw new NoSuchFileException(p.toString());
      }
    }
    return all;
  }

  private static boolean of(Split split, String name) {
    return split == Split.TRAIN
        ? name.contains("train")
        : name.contains("test") || name.contains("val");
  }

  /** Names for {@code {000..146}}, numbers as long as the first. */
  private static void expand(String name, List<Path> out) {
    Matcher m = RANGE.matcher(name);
    if (!m.find()) {
      out.add(Path.of(name));
      return;
    }
    long from;
    long to;
    try {
      from = Long.parseLong(m.group(1));
      to = Long.parseLong(m.group(2));
    } catch (NumberFormatException e) {
      from = 1;
      to = 0;
    }
    if (to < from || to - from >= MOST_SHARDS || out.size() >= MOST_SHARDS) {
      throw new SecateurException(
          name + ": " + m.group() + "; expected a range that rises, such as {000..146}");
    }
    for (long i = from; i <= to; i++) {
      String number = ("%0" + m.group(1).length() + "d").formatted(i);
      expand(name.substring(0, m.start()) + number + name.substring(m.end()), out);
    }
  }

  /** The images of a shard, in its order. */
  private static List<Found> index(Path file) {
    List<Found> out = new ArrayList<>();
    try (TarFile tar = new TarFile(file)) {
      Map<String, Integer> classes = new TreeMap<>();
      for (TarArchiveEntry e : tar.getEntries()) {
        if (e.isFile() && extension(e).equals("cls")) {
          classes.put(key(e), number(file, tar, e));
        }
      }
      for (TarArchiveEntry e : tar.getEntries()) {
        if (e.isFile() && !e.isSparse() && IMAGES.contains(extension(e))) {
          Integer number = classes.get(key(e));
          String folder = number == null ? folder(e) : "";
          if (number == null && folder.isEmpty()) {
            throw new SecateurException(
                file + ": nothing says the class of " + e.getName() + "; expected " + EXPECTED);
          }
          out.add(
              new Found(
                  e.getDataOffset(),
                  Math.toIntExact(e.getSize()),
                  number == null ? 0 : number,
                  folder));
        }
      }
    } catch (IOException | IllegalArgumentException | ArithmeticException e) {
      throw new SecateurException(
          file
              + ": is no whole tar file ("
              + String.valueOf(e.getMessage()).lines().findFirst().orElse("")
              + ")",
          e);
    }
    return out;
  }

  private static int number(Path file, TarFile tar, TarArchiveEntry e) throws IOException {
    try (InputStream in = tar.getInputStream(e)) {
      String text = new String(in.readNBytes(16), StandardCharsets.US_ASCII).strip();
      if (!text.matches("\\d{1,7}")) {
        throw new SecateurException(
            file + ": " + e.getName() + " has no class; expected a whole number of at least 0");
      }
      return Integer.parseInt(text);
    }
  }

  /** The name up to the first dot behind the last slash. */
  private static String key(TarArchiveEntry e) {
    String name = e.getName();
    int dot = name.indexOf('.', name.lastIndexOf('/') + 1);
    return dot < 0 ? name : name.substring(0, dot);
  }

  private static String extension(TarArchiveEntry e) {
    String name = e.getName();
    boolean hidden = name.startsWith(".", name.lastIndexOf('/') + 1);
    return hidden ? "" : name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  private static String folder(TarArchiveEntry e) {
    Path parent = Path.of(e.getName()).getParent();
    return parent == null ? "" : parent.getFileName().toString();
  }

  /** By the header in front of the image, so that no names need be kept. */
  @Override
  public String name(int index) {
    ByteBuffer header = ByteBuffer.allocate(HEADER);
    try {
      ImageSource.fill(channels[shard[index]], header, offset[index] - HEADER);
    } catch (IOException e) {
      // what is there is told
    }
    String name = new String(header.array(), 0, 100, StandardCharsets.UTF_8);
    int end = name.indexOf(0);
    return shards.get(shard[index]).getFileName()
        + ": "
        + (end < 0 ? name : name.substring(0, end));
  }

  @Override
  public byte[] bytes(int index) throws IOException {
    ByteBuffer all = ByteBuffer.allocate(size[index]);
    ImageSource.fill(channels[shard[index]], all, offset[index]);
    if (all.hasRemaining()) {
      throw new IOException(name(index) + ": cut off at " + all.position() + " bytes");
    }
    return all.array();
  }

  @Override
  public long ends(int index, ByteBuffer first, ByteBuffer last) throws IOException {
    part(index, first, 0);
    part(index, last, Math.max(0, size[index] - last.remaining()));
    return size[index];
  }

  /** What an image has from a place on, and no more of the archive. */
  private void part(int index, ByteBuffer dst, int from) throws IOException {
    ByteBuffer there = dst.slice(dst.position(), Math.min(dst.remaining(), size[index] - from));
    ImageSource.fill(channels[shard[index]], there, offset[index] + from);
    dst.position(dst.position() + there.position());
  }

  @Override
  public String stamp(int index) throws IOException {
    Path p = shards.get(shard[index]);
    return p.toAbsolutePath()
        + " "
        + Files.size(p)
        + " "
        + Files.getLastModifiedTime(p).toMillis()
        + " "
        + offset[index];
  }
}
