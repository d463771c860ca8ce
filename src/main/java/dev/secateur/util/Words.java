package dev.secateur.util;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Words as people and shells take them. */
public final class Words {
  private Words() {}

  /** "max or avg": the constants of an enum, in lower case. */
  public static String choices(Class<?> type) {
    return Arrays.stream(type.getEnumConstants())
        .map(c -> c.toString().toLowerCase(Locale.ROOT))
        .collect(Collectors.joining(" or "));
  }

  /** The constant of an enum in lower case, with hyphens between words. */
  public static String kebab(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** A word as a shell takes it, quoted where it has to be. */
  public static String quoted(String word) {
    return word.matches("[\\w@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
  }
}
