package dev.secateur.cli;

import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** How much goes, and when a run ends. */
final class StopOptions {
  static final String HEADING = "%nStopping:%n";

  @Option(
      names = "--pruning-ratio",
      paramLabel = "R",
      description = {
        "part of the remaining prunable filters to remove each time; default 0.1, or with a",
        "target and --iterations 1 as much as reaches it"
      })
  @Sets("choice.pruning-ratio")
  private String ratio;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      description = "at most so many; default 1, or no limit with a target or --max-drop")
  @Sets("stop.iterations")
  private String iterations;

  @Option(
      names = "--max-drop",
      paramLabel = "POINTS",
      description = "stop before held-out top-1 falls by more than so many points")
  @Sets("stop.max-drop")
  private String maxDrop;

  @ArgGroup(exclusive = true)
  private Aim aim;

  /** One kind of target at a time. */
  static final class Aim {
    @ArgGroup(exclusive = false)
    private Sizes sizes;

    @ArgGroup(exclusive = false)
    private LatencyOptions latency;
  }

  /** Sizes to come down to. */
  static final class Sizes {
    @Option(
        names = "--target-macs",
        paramLabel = "F|N",
        description = {
          "stop once the MACs are at most this part of the original's, such as 0.5, or so many,",
          "such as 20M; with several targets, once all are reached"
        })
    @Sets("stop.macs")
    private String macs;

    @Option(
        names = "--target-params",
        paramLabel = "F|N",
        description = "likewise for parameters, such as 0.5 or 100k")
    @Sets("stop.params")
    private String parameters;

    @Option(
        names = "--target-size",
        paramLabel = "F|BYTES",
        description = "likewise for the parameters' bytes, such as 0.5 or 500k")
    @Sets("stop.size")
    private String size;
  }
}
