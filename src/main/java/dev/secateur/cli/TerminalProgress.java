package dev.secateur.cli;

import dev.secateur.train.ProgressListener;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.DecimalFormat;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Progress as a bar with elapsed and remaining time, images per second and the latest values. */
final class TerminalProgress implements ProgressListener {
  private static final int DEFAULT_WIDTH = 100;

  private final PrintStream terminal;
  private final Supplier<String> measure;
  private ProgressBar bar;

  /**
   * @param measure what accuracies are called
   */
  TerminalProgress(PrintStream terminal, Supplier<String> measure) {
    this.terminal = terminal;
    this.measure = measure;
  }

  /** Whether standard error is a terminal. */
  static boolean available() {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  @Override
  public void start(String phase, long total) {
    finish();
    bar =
        new ProgressBarBuilder()
            .setTaskName(phase)
            .setInitialMax(total)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(250)
            .setUnit("", 1)
            .showSpeed(new DecimalFormat("#"))
            .setConsumer(new ConsoleProgressBarConsumer(terminal, width()))
            .build();
  }

  @Override
  public void step(long done, Map<String, Double> values) {
    if (bar != null) {
      bar.stepTo(done);
    }
    if (bar != null && !values.isEmpty()) { // the latest stay in view
      bar.setExtraMessage(
          values.entrySet().stream()
              .map(e -> " " + value(e.getKey(), e.getValue()))
              .collect(Collectors.joining()));
    }
  }

  @Override
  public void finish() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  private String value(String name, double v) {
    return switch (name) {
      case "images/s", "imagesPerSecond" -> String.format(Locale.ROOT, "%.0f images/s", v);
      case "loss" -> String.format(Locale.ROOT, "loss %.3f", v);
      case "accuracy", "top1" -> String.format(Locale.ROOT, "%s %.1f %%", measure.get(), v);
      default -> String.format(Locale.ROOT, "%s %.4g", name, v);
    };
  }

  private static int width() {
    try {
      return Integer.parseInt(System.getenv().getOrDefault("COLUMNS", "" + DEFAULT_WIDTH));
    } catch (NumberFormatException e) {
      return DEFAULT_WIDTH;
    }
  }
}
