package dev.secateur.util;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * What has to be undone, the latest first. A step that fails neither stops the others nor hides the
 * failure that made the cleaning up necessary.
 */
public final class Cleanup implements AutoCloseable {
  private final Deque<Runnable> steps = new ArrayDeque<>();

  /** Adds a step that {@link #close} runs before the earlier ones. */
  public void add(Runnable step) {
    steps.push(step);
  }

  /** Runs each step once; then throws the first failure, with the others suppressed. */
  @Override
  public void close() {
    RuntimeException first = null;
    while (!steps.isEmpty()) {
      try {
        steps.pop().run();
      } catch (RuntimeException e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** For a constructor that fails: closes, and returns the failure to be thrown. */
  public static <E extends Throwable> E after(E failure, AutoCloseable half) {
    try {
      half.close();
    } catch (Exception e) {
      failure.addSuppressed(e);
    }
    return failure;
  }
}
