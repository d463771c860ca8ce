package dev.secateur.cli;

import dev.secateur.device.Device;
import dev.secateur.report.Report;
import dev.secateur.report.Timing;
import dev.secateur.run.SavedRun;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "report",
    description = {
      "Writes one self-contained page about a pruning run (report.html), its plots as SVG and PNG,",
      "and its numbers as JSON. Times the run's networks in turn."
    },
    customSynopsis = "secateur report RUN [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur report run",
      "  secateur report run --batch 1 --runs 100 --device cuda",
      "  secateur report run --no-bench -o page"
    })
final class ReportCommand extends BaseCommand.OnDevice {

  @Parameters(paramLabel = "RUN", description = "a run directory, from secateur prune -o")
  private Path directory;

  @ArgGroup(validate = false, heading = BaseCommand.OUTPUT, order = 90)
  private Output output = new Output();

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        paramLabel = "DIR",
        description = "where to write; default RUN/report")
    private Path file;
  }

  @ArgGroup(validate = false, heading = "%nTiming:%n", order = 2)
  private Timed timed = new Timed();

  private static final class Timed {
    @Option(
        names = "--batch",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "images at once while timing; default 32")
    private int batch = 32;

    @Option(
        names = "--runs",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "timed batches of each network; default 30")
    private int runs = 30;

    @Option(names = "--no-bench", description = "measure no milliseconds")
    private boolean untimed;
  }

  @Override
  public Integer call() throws IOException {
    SavedRun run = SavedRun.read(directory);
    Optional<Timing> timing = Optional.empty();
    if (!timed.untimed) {
      try (Device opened = openDevice()) {
        timing = Optional.of(Timing.measure(opened, run, math(), timed.batch, timed.runs));
      }
    }
    Path folder = Optional.ofNullable(output.file).orElse(directory.resolve("report"));
    Report.write(run, timing, folder, Version.text());
    Path page = folder.resolve("report.html");
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("report", page.toString());
    json.put("numbers", folder.resolve("report.json").toString());
    timing.ifPresent(t -> json.put("timing", t));
    print(json, () -> "written to " + page);
    return 0;
  }
}
