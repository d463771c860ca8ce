package dev.secateur.cli;

import dev.secateur.nn.Sgd;
import dev.secateur.train.Augmentation;
import dev.secateur.train.Schedule;
import dev.secateur.train.TrainingOptions;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How a network learns; names as PyTorch users expect them. */
final class LearningOptions {
  @Option(
      names = "--lr",
      paramLabel = "LR",
      converter = Converters.Positive.class,
      description = "highest learning rate; default 0.1 for train, 0.01 for fine-tuning")
  private Optional<Double> rate;

  @Option(
      names = "--momentum",
      paramLabel = "M",
      defaultValue = "0.9",
      converter = Converters.Fraction.class,
      description = "of SGD; default ${DEFAULT-VALUE}")
  private double momentum;

  @Option(names = "--nesterov", description = "Nesterov momentum")
  private boolean nesterov;

  @Option(
      names = "--weight-decay",
      paramLabel = "W",
      defaultValue = "1e-4",
      converter = Converters.NotNegative.class,
      description = "default ${DEFAULT-VALUE}")
  private double weightDecay;

  @Option(
      names = "--label-smoothing",
      paramLabel = "S",
      defaultValue = "0",
      converter = Converters.Fraction.class,
      description = "default ${DEFAULT-VALUE}")
  private double labelSmoothing;

  @Option(
      names = "--schedule",
      paramLabel = "cosine|step|constant",
      defaultValue = "COSINE",
      description = "how the learning rate falls; default cosine")
  private Schedule.Kind schedule;

  @Option(
      names = "--milestones",
      paramLabel = "E",
      split = ",",
      converter = Converters.Positive.class,
      description = "step: epochs at which the rate falls; default 1/2 and 3/4 of all")
  private List<Double> milestones = List.of();

  @Option(
      names = "--gamma",
      paramLabel = "G",
      defaultValue = "0.1",
      converter = Converters.Positive.class,
      description = "step: what the rate is multiplied by; default ${DEFAULT-VALUE}")
  private double gamma;

  @Option(
      names = "--warmup-epochs",
      paramLabel = "E",
      defaultValue = "0",
      converter = Converters.NotNegative.class,
      description = "the rate rises linearly for so long; default ${DEFAULT-VALUE}")
  private double warmup;

  @Option(
      names = "--crop-padding",
      paramLabel = "P",
      defaultValue = "4",
      converter = Converters.CountOrZero.class,
      description = "random crops of the image with so many zero pixels around; default 4")
  private int padding;

  @Option(
      names = "--no-flip",
      negatable = false,
      description = "do not mirror half of the training images")
  private boolean noFlip;

  TrainingOptions options(int epochs, double usualRate, int batch, long seed) {
    Schedule usual = Schedule.of(schedule, rate.orElse(usualRate), epochs, warmup);
    double[] at =
        milestones.isEmpty()
            ? usual.milestones()
            : milestones.stream().mapToDouble(d -> d).toArray();
    return new TrainingOptions(
        batch,
        new Schedule(schedule, usual.peak(), epochs, warmup, at, gamma),
        new Sgd((float) momentum, nesterov, (float) weightDecay, (float) labelSmoothing),
        new Augmentation(padding, !noFlip),
        seed);
  }
}
