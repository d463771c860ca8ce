package dev.secateur.run;

import java.time.Duration;
import java.time.Instant;

/**
 * When an iteration was computed.
 *
 * @param started UTC, ISO 8601
 * @param seconds it took
 */
public record RunTime(String started, double seconds) {
  static RunTime since(Instant start) {
    return new RunTime(start.toString(), Duration.between(start, Instant.now()).toMillis() / 1e3);
  }
}
