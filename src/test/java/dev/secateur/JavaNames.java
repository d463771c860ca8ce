package dev.secateur;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What no message for people may have in it: names of Java's classes and packages. */
public final class JavaNames {
  private static final Pattern ANY =
      Pattern.compile(
          "\\b(javax?|jdk|sun|picocli|dev\\.secateur|com\\.\\w+|org\\.\\w+|net\\.\\w+|io\\.\\w+)"
              + "\\.\\w+"
              + "|\\w(Exception|Error)\\b"
              + "|\\bclass [a-z]+\\."
              + "|\\[L\\w|\\w@[0-9a-f]{5,}");

  private JavaNames() {}

  /** Fails when a message has one. */
  public static void none(String message) {
    Matcher m = ANY.matcher(message);
    boolean found = m.find();
    assertFalse(found, () -> "'" + m.group() + "' is Java's in: " + message);
  }
}
