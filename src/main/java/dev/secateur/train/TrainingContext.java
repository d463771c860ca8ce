package dev.secateur.train;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Network;
import java.util.Optional;

/**
 * What goes along with a training and is no option of it.
 *
 * @param progress told how far it is
 * @param checkpoints where its state survives
 * @param heldOut images that epochs are compared on; never the test images
 * @param teacher the network that is imitated, where the training distils or images have no classes
 */
public record TrainingContext(
    ProgressListener progress,
    Checkpoints checkpoints,
    Optional<Dataset> heldOut,
    Optional<Network> teacher) {

  /** That tells nobody, keeps nothing, and compares nothing. */
  public static TrainingContext none() {
    return new TrainingContext(
        ProgressListener.none(), Checkpoints.none(), Optional.empty(), Optional.empty());
  }
}
