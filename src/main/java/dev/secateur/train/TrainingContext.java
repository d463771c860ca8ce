package dev.secateur.train;

/**
 * What goes along with a training and is no option of it.
 *
 * @param progress told how far it is
 * @param checkpoints where its state survives
 */
public record TrainingContext(ProgressListener progress, Checkpoints checkpoints) {

  /** That tells nobody and keeps nothing. */
  public static TrainingContext none() {
    return new TrainingContext(ProgressListener.none(), Checkpoints.none());
  }
}
