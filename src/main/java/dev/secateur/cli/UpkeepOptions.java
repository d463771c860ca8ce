package dev.secateur.cli;

import dev.secateur.run.Upkeep;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** How a long training is kept from being lost. */
class UpkeepOptions {
  @Option(
      names = "--resume",
      description = "go on with what an earlier start of the same command left, if anything")
  boolean resume;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "MINUTES",
      converter = Converters.Minutes.class,
      description =
          "keep the state of a training so often, and at SIGTERM and SIGINT; 0: only then; default "
              + (int) Upkeep.USUAL_MINUTES)
  private Double minutes = Upkeep.USUAL_MINUTES;

  Upkeep upkeep(StopSignal stop, Consumer<String> warn) {
    return new Upkeep(resume, minutes, System::nanoTime, stop::asked, warn);
  }
}
