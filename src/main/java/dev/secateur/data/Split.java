package dev.secateur.data;

import java.util.Locale;

/** Which part of a data set. */
public enum Split {
  TRAIN,
  TEST;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
