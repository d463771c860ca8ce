package dev.secateur.prune;

import java.util.Locale;

/** What a pruning ratio means. */
public enum Threshold {
  /**
   * Exactly so many filters go, rounded down. A layer keeps one; where it would not, the next
   * lowest of other layers go.
   */
  COUNT,

  /**
   * As in the authors' code: the score goes, with all that are not higher, for which the part of
   * the scores that are not higher comes nearest to the ratio. A layer that would go whole keeps
   * all of its filters, and nothing goes in their place.
   */
  SHARE;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
