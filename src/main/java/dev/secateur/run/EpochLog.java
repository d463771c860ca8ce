package dev.secateur.run;

import dev.secateur.train.EpochMetrics;
import dev.secateur.util.AtomicFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Epochs of training as CSV, a line each, with points as decimal marks whatever the locale. */
public final class EpochLog {
  private static final String COLUMNS =
      "epoch,images_per_second,learning_rate,loss,training_top1,heldout_top1,heldout_loss,seconds\n";

  private EpochLog() {}

  /** Writes those of one training. */
  public static void write(Path file, List<EpochMetrics> epochs) {
    StringBuilder csv = new StringBuilder(COLUMNS);
    epochs.forEach(m -> line(m, csv));
    AtomicFile.write(file, csv.toString());
  }

  /**
   * Writes those of a run.
   *
   * @param done its iterations that are whole
   * @param now epochs of the next one
   */
  static void write(Path file, List<IterationMetrics> done, List<EpochMetrics> now) {
    StringBuilder csv = new StringBuilder("iteration,").append(COLUMNS);
    done.forEach(i -> lines(i.iteration(), i.epochs(), csv));
    lines(done.size(), now, csv);
    AtomicFile.write(file, csv.toString());
  }

  private static void lines(int iteration, List<EpochMetrics> epochs, StringBuilder csv) {
    for (EpochMetrics m : epochs) {
      csv.append(iteration).append(',');
      line(m, csv);
    }
  }

  private static void line(EpochMetrics m, StringBuilder csv) {
    csv.append(
        String.format(
            Locale.ROOT,
            "%d,%.1f,%.6g,%.6f,%.4f,%s,%s,%.1f%n",
            m.epoch(),
            m.imagesPerSecond(),
            m.learningRate(),
            m.loss(),
            m.top1(),
            m.heldOutTop1().map(v -> String.format(Locale.ROOT, "%.4f", v)).orElse(""),
            m.heldOutLoss().map(v -> String.format(Locale.ROOT, "%.6f", v)).orElse(""),
            m.seconds()));
  }
}
