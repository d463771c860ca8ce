package dev.secateur.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.JavaNames;
import dev.secateur.SecateurException;
import java.nio.file.Path;

/** What every refusal of a file has to be. */
public final class OneLine {
  private OneLine() {}

  /** One line of bearable length that begins with the file, and not for want of memory. */
  public static void check(SecateurException e, Path file, String what) {
    String line = what + ": " + e.getMessage();
    assertEquals(1, e.getMessage().lines().count(), line);
    assertTrue(e.getMessage().startsWith(file.toString()), line);
    assertFalse(e.getMessage().contains("memory"), line);
    JavaNames.none(e.getMessage());
    assertTrue(e.getMessage().length() < 2000, what + ": a long line");
  }
}
