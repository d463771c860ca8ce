package dev.secateur.device.cuda;

import dev.secateur.util.LineCache;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which algorithm was the fastest for a convolution, remembered from run to run in a {@link
 * LineCache} for each kind of GPU: "convolutions", or {@code -Dsecateur.cuda.cache}.
 */
final class AlgorithmCache {
  private static final String NUMBER = "\\d";
  private static final String OTHERWISE = "convolutions are measured anew in each run";

  private final LineCache lines;

  private AlgorithmCache(LineCache lines) {
    this.lines = lines;
  }

  /** The one of this user for a GPU. */
  static AlgorithmCache of(String gpu) {
    return new AlgorithmCache(
        LineCache.of("secateur.cuda.cache", "convolutions", gpu, NUMBER, OTHERWISE));
  }

  /**
   * @param gpu its name, from which the file has its own
   */
  static AlgorithmCache in(Path folder, String gpu) {
    return new AlgorithmCache(LineCache.in(folder, gpu, NUMBER, OTHERWISE));
  }

  Optional<Integer> get(String key) {
    return lines.get(key).map(Integer::parseInt);
  }

  /**
   * Keeps a choice, unless there is one already, perhaps of another process.
   *
   * @return the one that is kept
   */
  int put(String key, int algorithm) {
    return Integer.parseInt(lines.put(key, Integer.toString(algorithm)));
  }
}
