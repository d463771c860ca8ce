package dev.secateur.prune.latency;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.InferenceStep;
import dev.secateur.util.Checksums;
import dev.secateur.util.LineCache;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Measured times of steps at one batch: convolutions (with what is fused behind them) and all other
 * kernels, each by itself, over and over on noise. A step is measured when it is asked for the
 * first time and then kept, in memory and in a {@link LineCache} of the device ("latencies", or
 * {@code -Dsecateur.latency.cache}). The file's name has a checksum over the device, its libraries'
 * versions and how activations lie in memory: what changes any of them begins another table.
 */
public final class LatencyLookupTable implements StepLatency {
  private static final String VALUE = "\\d+\\.\\d+ms"; // the end of a line cut short is missed
  private static final int LONGEST_KEY = 300;

  private final StepLatency clock;
  private final int batch;
  private final LineCache cache;
  private final Map<InferenceStep, Double> known = new HashMap<>();
  private int measured;

  /**
   * @param clock is asked once for each step that the cache does not know
   */
  LatencyLookupTable(StepLatency clock, int batch, LineCache cache) {
    this.clock = clock;
    this.batch = batch;
    this.cache = cache;
  }

  /** The one of this user for a device. */
  public static LatencyLookupTable of(Device device, int batch) {
    return of(device, batch, new Stopwatch(device, batch));
  }

  static LatencyLookupTable of(Device device, int batch, StepLatency clock) {
    LineCache cache =
        LineCache.of("secateur.latency.cache", "latencies", fileName(device), VALUE, otherwise());
    return new LatencyLookupTable(clock, batch, cache);
  }

  static String otherwise() {
    return "layers are timed anew in each run";
  }

  static String value() {
    return VALUE;
  }

  private static String fileName(Device device) {
    String all =
        device.description()
            + device.versions()
            + device.activationType()
            + device.activationLayout()
            + device.weightLayout();
    return device.description() + " " + checksum(all);
  }

  private static String checksum(String text) {
    return Long.toHexString(Checksums.crc32(text));
  }

  @Override
  public double milliseconds(InferenceStep step) {
    return known.computeIfAbsent(step, this::lookUp);
  }

  /** Steps that were not in the cache. */
  public int measured() {
    return measured;
  }

  private double lookUp(InferenceStep step) {
    String key = "batch " + batch + ": " + key(step);
    String value =
        cache
            .get(key)
            .orElseGet(
                () -> {
                  measured++;
                  double ms = clock.milliseconds(step);
                  return cache.put(key, String.format(Locale.ROOT, "%.7fms", ms));
                });
    return Double.parseDouble(value.substring(0, value.length() - 2));
  }

  /** All that the step is; what is too long to read ends in a checksum. */
  private static String key(InferenceStep step) {
    String all = step.toString().replaceAll("\\s+", " ");
    return all.length() <= LONGEST_KEY
        ? all
        : all.substring(0, LONGEST_KEY) + " " + all.length() + " " + checksum(all);
  }

  /**
   * Times a step on a device, so often in a round that the clock does not matter. What disturbs a
   * round only makes it longer, so the least counts, once enough others came close to it.
   */
  private static final class Stopwatch implements StepLatency {
    private static final double ROUND_MS = 1.5;
    private static final int MOST_IN_A_ROUND = 64;
    private static final int LEAST_ROUNDS = 5;
    private static final int MOST_ROUNDS = 60;
    private static final int ALIKE = 3;
    private static final double CLOSE = 1.02;

    /** Before the first step: a processor that idled is slow at first. */
    private static final double WARM_UP_MS = 200;

    private final Device device;
    private final int batch;
    private boolean warm;

    Stopwatch(Device device, int batch) {
      this.device = device;
      this.batch = batch;
    }

    @Override
    public double milliseconds(InferenceStep step) {
      try (Arena arena = device.newArena()) {
        Kernel one = step.kernel(device, batch, arena);
        one.launch(); // packs weights, chooses algorithms
        double alone = Math.min(device.time(one::launch), device.time(one::launch));
        int times = (int) Math.max(1, Math.min(MOST_IN_A_ROUND, ROUND_MS / alone));
        Kernel round = device.sequence(Collections.nCopies(times, one), arena);
        round.launch();
        round.launch(); // a device may record the sequence here
        for (double spent = 0; !warm && spent < WARM_UP_MS; ) {
          spent += Math.max(1e-3, device.time(round::launch));
        }
        warm = true;
        double[] rounds = new double[MOST_ROUNDS];
        int n = 0;
        do {
          rounds[n++] = device.time(round::launch) / times;
          Arrays.sort(rounds, 0, n);
        } while (n < LEAST_ROUNDS || n < MOST_ROUNDS && rounds[ALIKE - 1] > CLOSE * rounds[0]);
        return Math.max(1e-6, rounds[0]);
      }
    }
  }
}
