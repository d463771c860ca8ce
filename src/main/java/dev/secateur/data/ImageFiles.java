package dev.secateur.data;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * JPEG and PNG files, decoded when read: the shorter side is resized, the centre is cropped. Of
 * pairs, both images go where one cannot be decoded.
 */
final class ImageFiles implements Dataset {
  private static final int NAMED = 100;
  private static final String OTHER = "the other image of its pair cannot be read";

  private final FolderSpec spec;
  private final String where;
  private final List<String> names;
  private final ImageSource files;

  /** Which of the files are good. */
  private final int[] good;

  private final int[] labels;
  private final Labels kind;
  private final Unreadable unreadable;
  private final BitSet lost = new BitSet();
  private final int found;
  private final Optional<PixelCache> cache;
  private final ThreadLocal<ImageDecoder> decoders = ThreadLocal.withInitial(ImageDecoder::new);
  private final ThreadLocal<Triangle> resizers = ThreadLocal.withInitial(Triangle::new);

  /**
   * Looks at the files' first and last bytes; nothing is decoded.
   *
   * @param where for messages, such as {@code folder DIR}
   * @param names of the classes
   * @param labels by file
   * @param kind what the labels are; of pairs two files each belong together
   * @throws SecateurException when none is good
   */
  ImageFiles(
      FolderSpec spec,
      ImageSource files,
      String where,
      List<String> names,
      int[] labels,
      Labels kind,
      Unreadable unreadable) {
    this.spec = spec;
    this.files = files;
    this.where = where;
    this.names = names;
    this.kind = kind;
    this.unreadable = unreadable;
    this.found = labels.length;
    String[] problems = problems(files, found);
    if (paired()) {
      shareProblems(problems);
    }
    this.good = IntStream.range(0, found).filter(i -> problems[i].isEmpty()).toArray();
    this.labels = IntStream.of(good).map(i -> labels[i]).toArray();
    if (good.length < found) {
      report(problems, found - good.length);
    }
    if (good.length == 0) {
      throw new SecateurException(
          where + ": none of " + found + " images can be read, such as " + files.name(0));
    }
    this.cache = spec.cache().map(this::cache);
  }

  /** By the files' places, sizes and times, and by what is made of them. */
  private PixelCache cache(Path folder) {
    String made =
        "%dx%dx%d of %d".formatted(spec.channels(), spec.height(), spec.width(), spec.resize());
    MessageDigest sum;
    try {
      sum = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
    IntStream.of(good)
        .parallel()
        .mapToObj(this::stamp)
        .forEachOrdered(s -> sum.update(s.getBytes(StandardCharsets.UTF_8)));
    String hash = HexFormat.of().formatHex(sum.digest());
    String identity = good.length + " images " + made + " " + hash;
    String name = "pixels-" + hash.substring(0, 16) + "-" + made.replace(" of ", "-") + ".u8";
    int bytes = spec.channels() * spec.height() * spec.width();
    try {
      return new PixelCache(folder, name, identity, good.length, bytes, unreadable.told());
    } catch (IOException e) {
      throw new SecateurException(folder + ": images cannot be kept there: " + e, e);
    }
  }

  private String stamp(int file) {
    try {
      return files.stamp(file) + "\n";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String[] problems(ImageSource files, int count) {
    return IntStream.range(0, count)
        .parallel()
        .mapToObj(
            i -> {
              try {
                return FileCheck.problem(files, i);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            })
        .toArray(String[]::new);
  }

  private static void shareProblems(String[] problems) {
    for (int i = 0; i < problems.length; i++) {
      if (problems[i].isEmpty() && !problems[i ^ 1].isEmpty()) {
        problems[i] = OTHER;
      }
    }
  }

  private void report(String[] problems, int bad) {
    StringBuilder text = new StringBuilder();
    int named = 0;
    for (int i = 0; i < problems.length && named < NAMED; i++) {
      if (!problems[i].isEmpty()) {
        text.append(named++ == 0 ? "" : ", ");
        text.append(files.name(i)).append(" (").append(problems[i]).append(')');
      }
    }
    text.append(bad > named ? " and " + (bad - named) + " more" : "");
    unreadable.report(where, bad, found, text.toString());
  }

  /** Where an image is, from the root. */
  String file(int index) {
    return files.name(good[index]);
  }

  @Override
  public int size() {
    return good.length;
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
  public Labels labels() {
    return kind;
  }

  @Override
  public int label(int index) {
    return labels[index];
  }

  @Override
  public boolean read(int index, ByteBuffer dst, int offset) {
    if (cache.isPresent() && cache.get().read(index, dst, offset)) {
      return true;
    }
    boolean read = read(index, Region::all, 0, dst, offset);
    if (read) {
      cache.ifPresent(c -> c.put(index, dst, offset));
    }
    return read;
  }

  @Override
  public boolean hasViews() {
    return true;
  }

  @Override
  public boolean read(int index, View view, ByteBuffer dst, int offset) {
    return read(index, view, Math.max(spec.width(), spec.height()), dst, offset);
  }

  /**
   * @param least 0 for the whole image, resized and cropped; else a part is resized, and smaller
   *     decoded where it stays that large
   */
  private boolean read(int index, View view, int least, ByteBuffer dst, int offset) {
    byte[] file;
    try {
      file = files.bytes(good[index]);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a disk that fails is not a damaged image
    }
    ImageDecoder d = decoders.get();
    Region region;
    try {
      region = d.decode(file, spec.channels(), view, least);
    } catch (IOException | RuntimeException e) {
      lose(index, e);
      return false;
    }
    Triangle.Target target =
        least == 0
            ? Triangle.Target.centre(
                d.width(), d.height(), spec.resize(), spec.width(), spec.height())
            : Triangle.Target.whole(spec.width(), spec.height());
    resizers.get().write(d.pixels(), spec.channels(), d.width(), region, target, dst, offset);
    return true;
  }

  private void lose(int index, Exception e) {
    int so;
    synchronized (lost) {
      if (lost.get(index)) {
        return;
      }
      lost.set(index);
      so = lost.cardinality() + found - good.length;
    }
    String why = e.getMessage() == null ? e.toString() : e.getMessage();
    unreadable.report(where, so, found, file(index) + " (" + why + ")");
  }
}
