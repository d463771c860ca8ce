package dev.secateur.run;

import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * How long work is kept from being lost.
 *
 * @param resume go on with what an earlier start left
 * @param minutes between two states that are kept; 0: only when it is stopped
 * @param nanoTime a clock, as {@link System#nanoTime}
 * @param stopAsked whether the work is to stop, asked between steps
 * @param warn told what a person must not miss, a line at a time
 */
public record Upkeep(
    boolean resume,
    double minutes,
    LongSupplier nanoTime,
    BooleanSupplier stopAsked,
    Consumer<String> warn) {

  /** Minutes between two states, where nothing else is said. */
  public static final double USUAL_MINUTES = 10;

  /** The same, for a part of work that has been found to be gone on with. */
  Upkeep resuming() {
    return new Upkeep(true, minutes, nanoTime, stopAsked, warn);
  }

  /** Nobody stops it, and nobody is told. */
  public static Upkeep usual(boolean resume) {
    return new Upkeep(resume, USUAL_MINUTES, System::nanoTime, () -> false, line -> {});
  }
}
