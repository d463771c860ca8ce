package dev.secateur.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.device.Precision;
import dev.secateur.io.Json;
import dev.secateur.train.ProgressListener;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Options of every command, and how a command prints its result. */
final class Common {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      converter = Converters.DeviceName.class,
      description = "auto, cpu or cuda[:N]; default ${DEFAULT-VALUE}")
  private String device;

  @Option(
      names = "--math",
      paramLabel = "TYPE",
      split = ",",
      defaultValue = "fp32",
      converter = Converters.PrecisionName.class,
      description = {
        "fp32, tf32, fp16 or bf16: what the GPU computes in; default ${DEFAULT-VALUE};",
        "bench takes several"
      })
  private List<Precision> precisions;

  @Option(names = "--json", description = "print one JSON object instead of text")
  private boolean json;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "for everything that is random; default ${DEFAULT-VALUE}")
  private long seed;

  @Option(names = "--verbose", description = "show the stack trace of a failure")
  private boolean verbose;

  @Option(
      names = {"-q", "--quiet"},
      description = "no progress bars")
  private boolean quiet;

  private Optional<ProgressListener> progress = Optional.empty();

  /** As it was given: auto, cpu or cuda[:N]. */
  String deviceName() {
    return device;
  }

  Device openDevice() {
    return openDevice(precision());
  }

  Device openDevice(Precision precision) {
    try {
      return Devices.open(device, precision);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--math: " + e.getMessage());
    }
  }

  /** One or more, each once, as typed. */
  List<Precision> precisions() {
    return precisions.stream().distinct().toList();
  }

  private Precision precision() {
    if (precisions().size() > 1) {
      String all = precisions().stream().map(Common::math).collect(Collectors.joining(","));
      throw new ParameterException(
          spec.commandLine(), "--math " + all + ": expected one type; bench alone takes several");
    }
    return precisions.get(0);
  }

  /** What the device computes in, as typed. */
  String math() {
    return math(precision());
  }

  static String math(Precision precision) {
    return precision.name().toLowerCase(Locale.ROOT);
  }

  long seed() {
    return seed;
  }

  /** A bar on the terminal, or nothing where standard error is no terminal. */
  ProgressListener progress() {
    if (progress.isEmpty()) {
      boolean none = quiet || !TerminalProgress.available();
      progress = Optional.of(none ? ProgressListener.none() : new TerminalProgress(System.err));
    }
    return progress.get();
  }

  /** After a failure: a bar that still stands would go on, and share its line with the message. */
  void endProgress() {
    progress.ifPresent(ProgressListener::finish);
  }

  /** A line on standard error about how far a long command is; none with --quiet. */
  void note(String line) {
    if (!quiet) {
      spec.commandLine().getErr().println(line);
      spec.commandLine().getErr().flush();
    }
  }

  /** A line on standard error that the person must not miss. */
  void warn(String line) {
    spec.commandLine().getErr().println("secateur: " + line);
    spec.commandLine().getErr().flush();
  }

  /** Prints the result: {@code value} as JSON with --json, else the text. */
  void print(Object value, Supplier<String> text) throws JsonProcessingException {
    var out = spec.commandLine().getOut();
    out.println(json ? Json.MAPPER.writeValueAsString(value) : text.get().stripTrailing());
    out.flush();
  }

  /** The command as it was typed, for the record in a model's metadata. */
  String commandTyped() {
    return "secateur " + String.join(" ", arguments());
  }

  /** The command as a shell takes it again, without one of its words. */
  String commandWithout(String word) {
    StringBuilder out = new StringBuilder("secateur");
    for (String a : arguments()) {
      if (!a.equals(word)) {
        boolean plain = a.matches("[\\w@%+=:,./-]+");
        out.append(' ').append(plain ? a : "'" + a.replace("'", "'\\''") + "'");
      }
    }
    return out.toString();
  }

  private List<String> arguments() {
    return spec.root().commandLine().getParseResult().originalArgs();
  }
}
