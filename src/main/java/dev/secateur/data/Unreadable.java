package dev.secateur.data;

import dev.secateur.SecateurException;
import java.util.function.Consumer;

/**
 * What becomes of image files that cannot be decoded: they are left out and told, or refused.
 *
 * @param strict refuse the first one
 * @param told a line that names files and says how many are left out; called by several threads
 */
public record Unreadable(boolean strict, Consumer<String> told) {
  /** The first unreadable file is a failure. */
  public static final Unreadable REFUSED = new Unreadable(true, line -> {});

  /**
   * @param where the folder
   * @param files what is unreadable, and why
   * @throws SecateurException when strict
   */
  void report(String where, int skipped, int all, String files) {
    if (strict) {
      throw new SecateurException(
          where + ": " + skipped + " of " + all + " images cannot be read: " + files);
    }
    told.accept(where + ": " + skipped + " of " + all + " images skipped: " + files);
  }
}
