package dev.secateur.prune;

import java.util.Locale;

/** Which filters may go. */
public enum Scope {
  /**
   * The paper's choice: in residual networks the convolutions inside blocks, whose channels are
   * added to nothing; elsewhere all but the last.
   */
  PAPER,

  /** Every filter whose channels can be removed; coupled ones go together. */
  ALL;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
