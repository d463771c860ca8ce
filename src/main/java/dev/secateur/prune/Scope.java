package dev.secateur.prune;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;

/** What may go. */
public enum Scope {
  /**
   * The paper's choice: in residual networks the convolutions inside blocks, whose channels are
   * added to nothing; elsewhere all but the last.
   */
  PAPER("paper", false),

  /**
   * Every filter whose channels can be removed, outputs of linear layers among them; coupled ones
   * go together.
   */
  ALL("all", false),

  /** Whole residual blocks ({@link ResidualBlocks}), and nothing else. */
  BLOCKS("blocks", true),

  /** {@link #PAPER} and {@link #BLOCKS}. */
  PAPER_AND_BLOCKS("paper+blocks", true),

  /** {@link #ALL} and {@link #BLOCKS}. */
  ALL_AND_BLOCKS("all+blocks", true);

  private final String text;
  private final boolean blocks;

  Scope(String text, boolean blocks) {
    this.text = text;
    this.blocks = blocks;
  }

  /** Whether residual blocks may go. */
  public boolean blocks() {
    return blocks;
  }

  /** Of filters alone; empty where none may go. */
  Optional<Scope> filters() {
    return switch (this) {
      case PAPER, PAPER_AND_BLOCKS -> Optional.of(PAPER);
      case ALL, ALL_AND_BLOCKS -> Optional.of(ALL);
      case BLOCKS -> Optional.empty();
    };
  }

  /** As it is written. */
  @JsonValue
  @Override
  public String toString() {
    return text;
  }
}
