package dev.secateur.data;

/** Which part of a data set. */
public enum Split {
  TRAIN,
  TEST
}
