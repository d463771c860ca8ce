package dev.secateur.train;

import java.util.Locale;

/**
 * The learning rate over time, as PyTorch's schedulers define it, at every step rather than every
 * epoch.
 *
 * @param kind how the rate falls
 * @param peak the rate after warm-up
 * @param epochs the length of training, all that share the schedule together
 * @param warmup epochs of linear rise from 0 to {@code peak}
 * @param milestones for {@link Kind#STEP}: epochs at which the rate is multiplied by {@code gamma}
 * @param passed epochs of it that earlier trainings have had
 */
public record Schedule(
    Kind kind,
    double peak,
    int epochs,
    double warmup,
    double[] milestones,
    double gamma,
    int passed) {

  /** Shapes of the fall. */
  public enum Kind {
    CONSTANT,
    STEP,
    COSINE;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Steps at 1/2 and 3/4 of the epochs by 0.1, as He et al. train on CIFAR-10. */
  public static Schedule of(Kind kind, double peak, int epochs, double warmup) {
    return new Schedule(
        kind, peak, epochs, warmup, new double[] {epochs / 2.0, epochs * 0.75}, 0.1, 0);
  }

  /** The rate at a time of this training in epochs. */
  public double at(double since) {
    double epoch = passed + since;
    double rise = epoch < warmup ? epoch / warmup : 1;
    return switch (kind) {
      case CONSTANT -> peak * rise;
      case STEP -> {
        double rate = peak * rise;
        for (double m : milestones) {
          rate *= epoch >= m ? gamma : 1;
        }
        yield rate;
      }
      case COSINE -> {
        double rest = epochs - warmup;
        double t = rest > 0 ? Math.min(1, Math.max(0, epoch - warmup) / rest) : 0;
        yield epoch < warmup ? peak * rise : peak * 0.5 * (1 + Math.cos(Math.PI * t));
      }
    };
  }
}
