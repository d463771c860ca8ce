package dev.secateur.io.onnx;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Names and extents from a file, for one line of a message. */
final class Text {
  private static final int LONGEST = 80;

  private Text() {}

  /** Without control characters, cut to 80. */
  static String name(String name) {
    String clean = name.replaceAll("\\p{Cntrl}", "?");
    return clean.length() > LONGEST ? clean.substring(0, LONGEST) + "..." : clean;
  }

  static String dims(long[] dims) {
    return dims.length == 0
        ? "scalar"
        : Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining("x"));
  }
}
