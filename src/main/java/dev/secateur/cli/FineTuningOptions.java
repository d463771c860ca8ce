package dev.secateur.cli;

import dev.secateur.prune.Recipe;
import dev.secateur.train.Schedule;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
      names = "--random-resized-crop",
      paramLabel = "A",
      description =
          "cut out of each image, by chance, at least this part of its area and resize that, as for ImageNet (0.08); image files only")
  @Sets("fine-tuning.random-resized-crop")
  private String resizedCrop;

  @Option(
      names = "--flip",
      negatable = true,
      description = "mirror half of the training images, as is usual, or do not")
  @Sets("fine-tuning.flip")
  private Boolean flip;

  @Option(
      names = "--mixup",
      paramLabel = "ALPHA",
      description = "blend images and labels in pairs; 0: do not")
  @Sets("fine-tuning.mixup")
  private String mixup;

  @Option(
      names = "--cutmix",
      paramLabel = "ALPHA",
      description = "give images boxes of others, and labels their part; 0: do not")
  @Sets("fine-tuning.cutmix")
  private String cutmix;

  @Option(
      names = "--random-erasing",
      paramLabel = "P",
      description = "erase a box of an image with this probability")
  @Sets("fine-tuning.random-erasing")
  private String erasing;

  @Option(
      names = "--optimizer",
      paramLabel = "sgd|adamw",
      description = "AdamW takes --lr 0.001 or less")
  @Sets("fine-tuning.optimizer")
  private Recipe.Optimizer optimizer;

  @Option(
      names = "--betas",
      paramLabel = "B",
      split = ",",
      description = "of AdamW; default 0.9,0.999")
  @Sets("fine-tuning.betas")
  private List<String> betas;

  @Option(names = "--eps", paramLabel = "E", description = "of AdamW")
  @Sets("fine-tuning.eps")
  private String eps;

  @Option(
      names = "--distill",
      paramLabel = "=T",
      arity = "0..1",
      fallbackValue = "4",
      description =
          "imitate a teacher's outputs at this temperature, 4 if none is given; 0: do not")
  @Sets("fine-tuning.distill")
  private String distill;

  @Option(
      names = "--distill-weight",
      paramLabel = "W",
      description = "part of the teacher in the loss, the rest is the labels'")
  @Sets("fine-tuning.distill-weight")
  private String distillWeight;

  @Option(
      names = "--ema",
      paramLabel = "D",
      description =
          "keep a moving average of the weights with this decay, such as 0.999, and save it; 0: none")
  @Sets("fine-tuning.ema")
  private String ema;

  @Option(
      names = "--keep-epoch",
      paramLabel = "last|best",
      description = "which epoch's network is kept, by held-out images")
  @Sets("fine-tuning.keep")
  private Recipe.Kept keepEpoch;

  @Option(
      names = "--evaluate-every",
      paramLabel = "N",
      description = "epochs between evaluations on held-out images")
  @Sets("fine-tuning.evaluate-every")
  private String evaluateEvery;

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

    @Option(
        names = "--teacher",
        paramLabel = "MODEL",
        description = {
          "the model that --distill imitates, or whose outputs are what to learn where images",
          "have no classes"
        })
    private Path teacher;

    @Option(
        names = "--hold-out",
        paramLabel = "F",
        converter = Converters.Part.class,
        description = "part of the training images that epochs are compared on; default 0: none")
    private Double holdOut = 0.0;

    Optional<Path> teacher() {
      return Optional.ofNullable(teacher);
    }

    double holdOut() {
      return holdOut;
    }
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

    @Option(
        names = "--bn-recalibration",
        paramLabel = "N",
        description =
            "training images that batch norm's statistics are taken from anew after each removal; 0: they stay")
    @Sets("fine-tuning.bn-recalibration")
    private String recalibration;

    @Option(
        names = "--recovery-epochs",
        paramLabel = "N",
        description = "epochs more after the last removal")
    @Sets("fine-tuning.recovery-epochs")
    private String recovery;

    @Option(
        names = "--schedule-span",
        paramLabel = "iteration|run",
        description = "whether the learning rate falls in each iteration, or once in the whole run")
    @Sets("fine-tuning.schedule-span")
    private Recipe.ScheduleSpan span;
  }
}
