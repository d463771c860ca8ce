package dev.secateur.io;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Names and extents from a file, for one line of a message. */
public final class Text {
  private static final int LONGEST = 80;

  private Text() {}

  /** Without control characters, cut to 80. */
  public static String name(String name) {
    String clean = name.replaceAll("\\p{Cntrl}", "?");
    return clean.length() > LONGEST ? clean.substring(0, LONGEST) + "..." : clean;
  }

  /** The same for a whole message, cut to 400. */
  static String line(String message) {
    String clean = message.replaceAll("\\p{Cntrl}+", " ");
    return clean.length() > 400 ? clean.substring(0, 400) + "..." : clean;
  }

  public static String dims(long[] dims) {
    return dims.length == 0
        ? "scalar"
        : Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining("x"));
  }
}
