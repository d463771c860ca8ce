package dev.secateur.cli;

import java.util.Locale;

/** Numbers as people read them. */
final class Text {
  private Text() {}

  static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** 41.2 M, 272.5 k, 12. */
  static String count(long n) {
    if (n >= 10_000_000_000L) {
      return format("%.2f G", n / 1e9);
    }
    if (n >= 1_000_000) {
      return format("%.2f M", n / 1e6);
    }
    return n >= 10_000 ? format("%.1f k", n / 1e3) : Long.toString(n);
  }

  /** "-35.2 %", the change from before to after. */
  static String change(double before, double after) {
    return before == 0 ? "" : format("%+.1f %%", 100 * (after / before - 1));
  }
}
