package dev.secateur.prune.criterion;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.secateur.pls.ColumnScale;
import dev.secateur.util.Words;

/**
 * How PLS sees the network's features.
 *
 * @param components c, latent components
 * @param columns whose outputs are columns of X
 * @param scale of the centred columns
 * @param weighting what the columns are multiplied with besides
 * @param projections how many fits there are
 */
public record PlsSettings(
    int components, Columns columns, Scale scale, Weighting weighting, Projections projections) {

  /** Whose outputs are columns of X. */
  public enum Columns {
    /** Those of every convolution, as in the authors' code. */
    ALL,

    /** Those of the convolutions that are scored. */
    PRUNABLE;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return Words.kebab(this);
    }
  }

  /** What the centred columns of X are divided by. */
  public enum Scale {
    /** Their standard deviation, as in the paper. */
    UNIT(1),

    /** The square root of their standard deviation. */
    PARETO(0.5),

    /** Nothing: a feature counts by how much it varies. */
    NONE(0);

    private final double power;

    Scale(double power) {
      this.power = power;
    }

    ColumnScale columns() {
      return new ColumnScale(power);
    }

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return Words.kebab(this);
    }
  }

  /** What the centred and scaled columns of X are multiplied with. */
  public enum Weighting {
    /** Nothing, as in the paper. */
    NONE,

    /**
     * The norm of the weights that read the channel, behind their batch norm: a feature counts by
     * what the next layer makes of it.
     */
    OUTGOING;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return Words.kebab(this);
    }
  }

  /** How many fits there are (Venancio et al. 2022: single and multi projection). */
  public enum Projections {
    /** One over all columns, as in the paper. */
    ONE,

    /** One for each convolution, on its own columns: the mean of VIP² is 1 in each. */
    @JsonProperty("per-layer")
    PER_LAYER;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return Words.kebab(this);
    }
  }
}
