package dev.secateur.device.cuda;

import dev.secateur.util.LineCache;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which algorithm was the fastest for a convolution, remembered from run to run in a {@link
 * LineCache} for each kind of GPU: "convolutions", or {@code -Dsecateur.cuda.cache}.
 */
final class AlgorithmCache {
  private static final String PAIR = "-?\\d+:\\d+";
  private static final String OTHERWISE = "convolutions are measured anew in each run";

  private final LineCache lines;

  private AlgorithmCache(LineCache lines) {
    this.lines = lines;
  }

  /** The one of this user for a GPU. */
  static AlgorithmCache of(String gpu) {
    return new AlgorithmCache(
        LineCache.of("secateur.cuda.cache", "convolutions", gpu, PAIR, OTHERWISE));
  }

  /**
   * @param gpu its name, from which the file has its own
   */
  static AlgorithmCache in(Path folder, String gpu) {
    return new AlgorithmCache(LineCache.in(folder, gpu, PAIR, OTHERWISE));
  }

  /**
   * An algorithm's number and its math type, written as {@code 1:2}; or of an operation graph, a
   * plan's place among those that heuristics name and its engine's number, {@link #NONE} for none.
   */
  record Entry(int algorithm, int math) {
    /** That no plan of a graph is faster. */
    static final Entry NONE = new Entry(-1, 0);

    private static Entry of(String text) {
      String[] both = text.split(":");
      return new Entry(Integer.parseInt(both[0]), Integer.parseInt(both[1]));
    }

    private String text() {
      return algorithm + ":" + math;
    }
  }

  Optional<Entry> get(String key) {
    return lines.get(key).map(Entry::of);
  }

  /**
   * Keeps a choice, unless there is one already, perhaps of another process.
   *
   * @return the one that is kept
   */
  Entry put(String key, Entry entry) {
    return Entry.of(lines.put(key, entry.text()));
  }
}
