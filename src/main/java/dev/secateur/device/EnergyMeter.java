package dev.secateur.device;

/** Reads how much energy a device takes. */
public interface EnergyMeter extends AutoCloseable {
  /** What is read, in words. */
  String source();

  /**
   * Millijoules (10^-3 watt seconds) that the whole board has taken since some moment, idle power
   * included. Grows in steps, as often as the board brings its counter up to date.
   *
   * @throws dev.secateur.SecateurException if the device does not tell any more
   */
  double millijoules();

  /** How long the same work has to run before what is read belongs to it alone. */
  long settleMillis();

  @Override
  void close();
}
