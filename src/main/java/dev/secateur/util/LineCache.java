package dev.secateur.util;

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
 * What was measured, remembered from run to run: a text file with one line "key, tabulator, value"
 * for each measurement. The first line of a key counts, so that a choice once made does not change
 * and neither do results.
 *
 * <p>Lines are appended one by one, each in a single write under a lock, so that two processes may
 * share the file, which keeps the choice of the first, and a killed one leaves at most an
 * unfinished last line, which does not count. A file that cannot be read or written is worth a
 * warning and no more. One that grew too large loses its older half.
 */
public final class LineCache {
  private static final System.Logger LOG = System.getLogger(LineCache.class.getName());
  private static final long MOST = 4 << 20;

  private final Map<String, String> known = new HashMap<>();
  private final Pattern line;
  private final String otherwise;
  private Optional<Path> file;
  private long seen;

  private LineCache(Optional<Path> file, String value, String otherwise) {
    this.file = file;
    this.line = Pattern.compile("([^\t]+)\t(" + value + ")");
    this.otherwise = otherwise;
    file.filter(Files::exists).ifPresent(this::read);
    file.filter(f -> seen > MOST).ifPresent(LineCache::halve);
  }

  /**
   * The one of this user for a device, in $XDG_CACHE_HOME/secateur/KIND (~/.cache without that
   * variable), or in the folder that {@code -DPROPERTY=DIR} names; {@code none} keeps nothing.
   *
   * @param device its name, from which the file has its own
   * @param value what a value looks like; other lines are damaged
   * @param otherwise what happens without the file, for the warning
   * @throws SecateurException where the property is no name of a folder
   */
  public static LineCache of(
      String property, String kind, String device, String value, String otherwise) {
    String own = System.getProperty(property, "");
    if (own.equals("none")) {
      return new LineCache(Optional.empty(), value, otherwise);
    }
    try {
      Path usual = CacheFolder.of(System.getenv()).resolve(kind);
      return in(own.isEmpty() ? usual : Path.of(own), device, value, otherwise);
    } catch (InvalidPathException e) {
      throw new SecateurException("-D" + property + "=" + own + ": no name of a folder", e);
    }
  }

  /** The one for a device in a folder. */
  public static LineCache in(Path folder, String device, String value, String otherwise) {
    String name = device.replaceAll("[^A-Za-z0-9.]+", "-") + ".txt";
    return new LineCache(Optional.of(folder.resolve(name)), value, otherwise);
  }

  public Optional<String> get(String key) {
    return Optional.ofNullable(known.get(key));
  }

  /**
   * Keeps a choice, unless there is one already, perhaps of another process.
   *
   * @return the one that is kept
   */
  public String put(String key, String value) {
    return file.isPresent() ? append(file.get(), key, value) : remember(key, value);
  }

  private String remember(String key, String value) {
    known.putIfAbsent(key, value);
    return known.get(key);
  }

  private void read(Path f) {
    try {
      List<String> lines = Files.readAllLines(f, ISO_8859_1);
      int strange = 0;
      for (String l : lines) {
        Matcher m = line.matcher(l);
        if (m.matches()) {
          known.putIfAbsent(m.group(1), m.group(2));
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
      Path part = Files.createTempFile(f.toAbsolutePath().getParent(), "cache", ".part");
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
  private String append(Path f, String key, String value) {
    synchronized (LineCache.class) { // a lock on a file is one process's
      try {
        Files.createDirectories(f.toAbsolutePath().getParent());
        try (FileChannel c =
                FileChannel.open(f, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            FileLock lock = c.lock()) {
          if (c.size() != seen) {
            read(f);
          }
          if (!known.containsKey(key)) {
            byte[] added = ("\n" + key + "\t" + value + "\n").getBytes(ISO_8859_1);
            c.write(ByteBuffer.wrap(added));
          }
          seen = c.size();
        }
      } catch (IOException e) {
        giveUp("written", f, e);
      }
    }
    return remember(key, value);
  }

  private void giveUp(String what, Path f, IOException e) {
    file = Optional.empty();
    LOG.log(Level.WARNING, f + " cannot be " + what + ", so " + otherwise + " (" + e + ")");
  }
}
