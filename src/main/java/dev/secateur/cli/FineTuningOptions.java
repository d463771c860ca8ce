package dev.secateur.cli;

import dev.secateur.train.Schedule;
import java.util.List;
import picocli.CommandLine.Option;

/** How a network learns; names as PyTorch users expect them. */
class FineTuningOptions {
  static final String HEADING = "%nTraining:%n";

  @Option(names = "--lr", paramLabel = "LR", description = "highest learning rate")
  @Sets("fine-tuning.lr")
  private String rate;

  @Option(names = "--momentum", paramLabel = "M", description = "of SGD")
  @Sets("fine-tuning.momentum")
  private String momentum;

  @Option(names = "--nesterov", description = "Nesterov momentum")
  @Sets("fine-tuning.nesterov")
  private Boolean nesterov;

  @Option(
      names = "--weight-decay",
      paramLabel = "W",
      description = "of weights, not of norms and biases")
  @Sets("fine-tuning.weight-decay")
  private String weightDecay;

  @Option(
      names = "--decay-norms",
      negatable = true,
      description =
          "weight decay of norms and biases too, as PyTorch's SGD does, or not, as is usual")
  @Sets("fine-tuning.decay-norms")
  private Boolean decayNorms;

  @Option(
      names = "--label-smoothing",
      paramLabel = "S",
      description = "part of the target that is spread over all classes")
  @Sets("fine-tuning.label-smoothing")
  private String labelSmoothing;

  @Option(
      names = "--schedule",
      paramLabel = "cosine|step|constant",
      description = "how the learning rate falls")
  @Sets("fine-tuning.schedule")
  private Schedule.Kind schedule;

  @Option(
      names = "--milestones",
      paramLabel = "E",
      split = ",",
      description = "step: epochs at which the rate falls; default 1/2 and 3/4 of all")
  @Sets("fine-tuning.milestones")
  private List<String> milestones;

  @Option(names = "--gamma", paramLabel = "G", description = "step: what the rate is multiplied by")
  @Sets("fine-tuning.gamma")
  private String gamma;

  @Option(
      names = "--warmup-epochs",
      paramLabel = "E",
      description = "the rate rises linearly for so long")
  @Sets("fine-tuning.warmup-epochs")
  private String warmup;

  @Option(
      names = "--crop-padding",
      paramLabel = "P",
      description = "random crops of the image with so many zero pixels around")
  @Sets("fine-tuning.crop-padding")
  private String padding;

  @Option(
      names = "--flip",
      negatable = true,
      description = "mirror half of the training images, as is usual, or do not")
  @Sets("fine-tuning.flip")
  private Boolean flip;

  @Option(names = "--seed", paramLabel = "N", description = "for everything that is random")
  @Sets("seed")
  private String seed;

  /** Of a command that trains once. */
  static final class Once extends FineTuningOptions {
    @Option(
        names = "--epochs",
        required = true,
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "passes over the training images")
    @Sets("fine-tuning.epochs")
    private Integer epochs;
  }

  /** Of a command that trains after each removal. */
  static final class AfterRemoval extends FineTuningOptions {
    @Option(
        names = "--finetune-epochs",
        paramLabel = "N",
        description = "after each removal; 0 for none")
    @Sets("fine-tuning.epochs")
    private String epochs;

    @Option(
        names = "--finetune-samples",
        paramLabel = "N|all",
        description = "training images an epoch")
    @Sets("fine-tuning.samples")
    private String samples;
  }
}
