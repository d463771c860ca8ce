package dev.secateur.device.cuda;

import java.util.function.LongSupplier;

/** Energy from readings of power, by the trapezoidal rule: as good as it is read often. */
final class PowerIntegral {
  private final LongSupplier milliwatts;
  private final LongSupplier nanos;
  private double sum;
  private long lastNanos;
  private long last;

  PowerIntegral(LongSupplier milliwatts, LongSupplier nanos) {
    this.milliwatts = milliwatts;
    this.nanos = nanos;
    this.lastNanos = nanos.getAsLong();
    this.last = milliwatts.getAsLong();
  }

  /** Since the construction. */
  double millijoules() {
    long now = nanos.getAsLong();
    long power = milliwatts.getAsLong();
    sum += (last + power) / 2.0 * (now - lastNanos) / 1e9;
    last = power;
    lastNanos = now;
    return sum;
  }
}
