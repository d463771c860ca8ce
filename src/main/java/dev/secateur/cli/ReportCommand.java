package dev.secateur.cli;

import dev.secateur.device.Device;
import dev.secateur.prune.SavedRun;
import dev.secateur.report.Report;
import dev.secateur.report.Timing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "report",
    description = {
      "Writes one self-contained page about a pruning run (report.html), its plots as SVG and PNG,",
      "and its numbers as JSON. Times the run's networks in turn."
    })
final class ReportCommand implements Callable<Integer> {
  @Mixin private Common common;

  @Parameters(paramLabel = "RUN", description = "a run directory, from secateur prune -o")
  private Path directory;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "DIR",
      description = "where to write; default RUN/report")
  private Optional<Path> output;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "32",
      converter = Converters.Count.class,
      description = "images at once while timing; default ${DEFAULT-VALUE}")
  private int batch;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "30",
      converter = Converters.Count.class,
      description = "timed batches of each network; default ${DEFAULT-VALUE}")
  private int runs;

  @Option(names = "--no-bench", description = "measure no milliseconds")
  private boolean untimed;

  @Override
  public Integer call() throws IOException {
    SavedRun run = SavedRun.read(directory);
    Optional<Timing> timing = Optional.empty();
    if (!untimed) {
      try (Device device = common.openDevice()) {
        timing = Optional.of(Timing.measure(device, run, common.math(), batch, runs));
      }
    }
    Path folder = output.orElse(directory.resolve("report"));
    Report.write(run, timing, folder, Main.Version.text());
    Path page = folder.resolve("report.html");
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("report", page.toString());
    json.put("numbers", folder.resolve("report.json").toString());
    timing.ifPresent(t -> json.put("timing", t));
    common.print(json, () -> "written to " + page);
    return 0;
  }
}
