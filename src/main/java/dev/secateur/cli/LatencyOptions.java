package dev.secateur.cli;

import picocli.CommandLine.Option;

/** How fast the pruned network is to be. */
final class LatencyOptions {
  static final String HEADING = "%nLatency:%n";

  @Option(
      names = "--target-latency",
      required = true,
      paramLabel = "F|MSms",
      description = {
        "remove what loses the least importance for the milliseconds it saves on this device,",
        "until inference takes this part of the original's time, such as 0.6, or so long, such as",
        "0.8ms; --pruning-ratio is then the part of the time that each iteration saves"
      })
  @Sets("stop.latency")
  private String target;

  @Option(names = "--batch", paramLabel = "N", description = "images at once for --target-latency")
  @Sets("stop.latency-batch")
  private String batch;
}
