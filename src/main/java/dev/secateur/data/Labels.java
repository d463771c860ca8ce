package dev.secateur.data;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What is known of images. */
public enum Labels {
  /** A class each. */
  CLASSES("top-1"),

  /** The class each that a network says, which is not always right. */
  PREDICTED("agreement"),

  /** Which pairs of them are the same: see {@link Dataset#paired}. */
  PAIRS("pair accuracy"),

  /** Nothing: they have the one label 0. */
  NONE("outputs kept");

  private final String measure;

  Labels(String measure) {
    this.measure = measure;
  }

  /**
   * What a network's worth on them is called, in per cent: how many of their classes it tells; how
   * many of the predictions it shares; how many pairs it tells; how much of another network's
   * outputs it has ({@link dev.secateur.nn.Imitation}).
   */
  public String measure() {
    return measure;
  }

  /** Whether there is a class for each image to learn. */
  public boolean classes() {
    return this == CLASSES || this == PREDICTED;
  }

  /** As it is written, in lower case. */
  @JsonValue
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
