package dev.secateur.util;

import java.util.Locale;

/** Numbers as people read them. */
public final class Numbers {
  private Numbers() {}

  public static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** 41.2 M, 272.5 k, 12. */
  public static String count(double n) {
    return n >= 1e10
        ? format("%.2f G", n / 1e9)
        : n >= 1e6
            ? format("%.2f M", n / 1e6)
            : n >= 1e4 ? format("%.1f k", n / 1e3) : format("%.0f", n);
  }

  /** "-35.2 %", the change from before to after. */
  public static String change(double before, double after) {
    return before == 0 ? "" : format("%+.1f %%", 100 * (after / before - 1));
  }

  /** A number with a true minus sign, for a page. */
  public static String typeset(String number) {
    return number.replace('-', '−');
  }

  /** 0.0123, 1.23, 12.3, 123: four digits at most. */
  public static String plain(double v) {
    return Double.isFinite(v)
        ? format(v == Math.rint(v) && Math.abs(v) < 1e7 ? "%.0f" : "%.4g", v)
        : "";
  }

  /** "2 h 3 min", "4 min 5 s", "6.7 s". */
  public static String duration(double seconds) {
    long s = Math.round(seconds);
    return seconds < 60
        ? format("%.1f s", seconds)
        : s < 3600
            ? format("%d min %d s", s / 60, s % 60)
            : format("%d h %d min", s / 3600, s / 60 % 60);
  }
}
