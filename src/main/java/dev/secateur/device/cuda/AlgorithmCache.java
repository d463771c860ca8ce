package dev.secateur.device.cuda;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.secateur.SecateurException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which algorithm was the fastest for a convolution, remembered from run to run: one text file for
 * each kind of GPU, one line "key, tabulator, number" for each convolution. The first line of a key
 * counts, so that a choice once made does not change and neither do results.
 *
 * <p>Lines are appended one by one, each in a single write under a lock, so that two processes may
 * share the file, which keeps the choice of the first, and a killed one leaves at most an
 * unfinished last line, which does not count. A file that cannot be read or written is worth a
 * warning and no more. One that grew too large loses its older half.
 *
 * <p>It lies in $XDG_CACHE_HOME/secateur/convolutions (~/.cache without that variable), or in the
 * folder that {@code -Dsecateur.cuda.cache=DIR} names; {@code none} keeps nothing.
 */
final class AlgorithmCache {
  private static final System.Logger LOG = System.getLogger(AlgorithmCache.class.getName());
  private static final Pattern LINE = Pattern.compile("([^\t]+)\t(\\d)");
  private static final long MOST = 4 << 20;

  private final Map<String, Integer> known = new HashMap<>();
  private Optional<Path> file;
  private long seen;

  private AlgorithmCache(Optional<Path> file) {
    this.file = file;
    file.filter(Files::exists).ifPresent(this::read);
    file.filter(f -> seen > MOST).ifPresent(AlgorithmCache::halve);
  }

  /** The one of this user for a GPU. */
  static AlgorithmCache of(String gpu) {
    String own = System.getProperty("secateur.cuda.cache", "");
    if (own.equals("none")) {
      return new AlgorithmCache(Optional.empty());
    }
    try {
      return in(
          own.isEmpty() ? CacheFolder.of(System.getenv()).resolve("convolutions") : Path.of(own),
          gpu);
    } catch (InvalidPathException e) {
      throw new SecateurException("-Dsecateur.cuda.cache=" + own + ": no name of a folder", e);
    }
  }

  /**
   * @param gpu its name, from which the file has its own
   */
  static AlgorithmCache in(Path folder, String gpu) {
    String name = gpu.replaceAll("[^A-Za-z0-9.]+", "-") + ".txt";
    return new AlgorithmCache(Optional.of(folder.resolve(name)));
  }

  Optional<Integer> get(String key) {
    return Optional.ofNullable(known.get(key));
  }

  /**
   * Keeps a choice, unless there is one already, perhaps of another process.
   *
   * @return the one that is kept
   */
  int put(String key, int algorithm) {
    return file.isPresent() ? append(file.get(), key, algorithm) : remember(key, algorithm);
  }

  private int remember(String key, int algorithm) {
    known.putIfAbsent(key, algorithm);
    return known.get(key);
  }

  private void read(Path f) {
    try {
      List<String> lines = Files.readAllLines(f, ISO_8859_1);
      int strange = 0;
      for (String l : lines) {
        Matcher m = LINE.matcher(l);
        if (m.matches()) {
          known.putIfAbsent(m.group(1), Integer.parseInt(m.group(2)));
        } else {
          strange += l.isBlank() ? 0 : 1;
        }
      }
      if (strange > 0) {
        LOG.log(Level.WARNING, f + ": " + strange + " unreadable lines are left out; delete it");
      }
      seen = Files.size(f);
    } catch (IOException e) {
      giveUp("read", f, e);
    }
  }

  /** What another process appends at the same moment is measured again some day. */
  private static void halve(Path f) {
    try {
      List<String> lines = Files.readAllLines(f, ISO_8859_1);
      Path part = Files.createTempFile(f.toAbsolutePath().getParent(), "convolutions", ".part");
      try {
        Files.write(part, lines.subList(lines.size() / 2, lines.size()), ISO_8859_1);
        Files.move(part, f, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      LOG.log(Level.WARNING, f + " is large and cannot be replaced (" + e + ")");
    }
  }

  /** Begins a new line first, where a killed process left one unfinished. */
  private int append(Path f, String key, int algorithm) {
    synchronized (AlgorithmCache.class) { // a lock on a file is one process's
      try {
        Files.createDirectories(f.toAbsolutePath().getParent());
        try (FileChannel c =
                FileChannel.open(f, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            FileLock lock = c.lock()) {
          if (c.size() != seen) {
            read(f);
          }
          if (!known.containsKey(key)) {
            byte[] line = ("\n" + key + "\t" + algorithm + "\n").getBytes(ISO_8859_1);
            c.write(ByteBuffer.wrap(line));
          }
          seen = c.size();
        }
      } catch (IOException e) {
        giveUp("written", f, e);
      }
    }
    return remember(key, algorithm);
  }

  private void giveUp(String what, Path f, IOException e) {
    file = Optional.empty();
    LOG.log(
        Level.WARNING,
        f + " cannot be " + what + ", so convolutions are measured anew in each run (" + e + ")");
  }
}
