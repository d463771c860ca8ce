package dev.secateur.device.cuda;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a device does otherwise than it was asked to, because a library refuses: counted by kind,
 * and the first of a kind is said in a warning.
 */
final class Fallbacks {
  private static final System.Logger LOG = System.getLogger(Fallbacks.class.getName());

  private final Map<String, Integer> counts = new LinkedHashMap<>();

  /**
   * Counts one.
   *
   * @param kind what is done and why, in words
   */
  void add(String kind) {
    if (counts.merge(kind, 1, Integer::sum) == 1) {
      LOG.log(System.Logger.Level.WARNING, kind);
    }
  }

  /** Counts one without a warning: there is another way that does the same. */
  void count(String kind) {
    counts.merge(kind, 1, Integer::sum);
  }

  /** How often each kind was done, in the order in which they came up. */
  Map<String, Integer> counts() {
    return Collections.unmodifiableMap(new LinkedHashMap<>(counts));
  }
}
