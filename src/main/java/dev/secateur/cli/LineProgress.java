package dev.secateur.cli;

import dev.secateur.train.EpochMetrics;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.Numbers;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** Progress as a line a minute, for logs. */
final class LineProgress implements ProgressListener {
  private static final double MINUTE = 60e9;

  private final Consumer<String> lines;
  private final Supplier<String> stage;
  private final Supplier<String> measure;
  private final LongSupplier nanoTime;
  private String phase = "";
  private long total;

  /** Of a training: images to come after this epoch. */
  private long afterwards;

  private Optional<EpochMetrics> lastEpoch = Optional.empty();
  private double loss = Double.NaN;

  /** When the last line was written, or the work began. */
  private long told;

  /** The first step of the phase that was told: images, or -1 before it, and when. */
  private long firstDone;

  private long firstTime;

  /**
   * @param stage what the phase is a part of, with a comma behind it, or nothing
   * @param measure what accuracies are called
   */
  LineProgress(
      Consumer<String> lines,
      Supplier<String> stage,
      Supplier<String> measure,
      LongSupplier nanoTime) {
    this.lines = lines;
    this.stage = stage;
    this.measure = measure;
    this.nanoTime = nanoTime;
    this.told = nanoTime.getAsLong();
  }

  @Override
  public void start(String name, long steps) {
    phase = name;
    total = steps;
    afterwards = 0;
    firstDone = -1;
    loss = Double.NaN;
  }

  @Override
  public void epoch(int number, int of, long images) {
    if (number == 1) {
      lastEpoch = Optional.empty();
    }
    start("epoch " + number + "/" + of, images);
    afterwards = (of - number) * images;
  }

  @Override
  public void epochDone(List<EpochMetrics> epochs) {
    lastEpoch = Optional.of(epochs.get(epochs.size() - 1));
  }

  @Override
  public void step(long done, Map<String, Double> values) {
    loss = values.getOrDefault("loss", loss);
    long now = nanoTime.getAsLong();
    if (firstDone < 0) { // not from the start: a phase may begin in its middle
      firstDone = done;
      firstTime = now;
    }
    if (now - told < MINUTE) {
      return;
    }
    double seconds = (now - firstTime) / 1e9;
    double rate = seconds > 0 ? (done - firstDone) / seconds : 0;
    StringBuilder line = new StringBuilder(stage.get()).append(phase);
    line.append(Numbers.format(": %d of %d images", done, total));
    if (rate > 0) {
      line.append(Numbers.format(", %.0f images/s", rate));
    }
    if (loss == loss) {
      line.append(Numbers.format(", loss %.3f", loss));
    }
    lastEpoch
        .flatMap(EpochMetrics::heldOutTop1)
        .ifPresent(v -> line.append(Numbers.format(", held-out %s %.2f %%", measure.get(), v)));
    if (rate > 0) {
      line.append(", ").append(time((total - done + afterwards) / rate)).append(" left");
    }
    lines.accept(line.toString());
    told = now;
  }

  private static String time(double seconds) {
    return seconds < 90
        ? Numbers.format("%.0f s", seconds)
        : seconds < 5400
            ? Numbers.format("%.0f min", seconds / 60)
            : Numbers.format("%.1f h", seconds / 3600);
  }

  @Override
  public void finish() {}
}
