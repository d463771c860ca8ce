package dev.secateur.train;

import java.util.Optional;

/** Where the state of a training survives, and when it is to be kept. */
public interface Checkpoints {

  /**
   * The state that an earlier start left; empty where there is none.
   *
   * @throws dev.secateur.SecateurException for one that is damaged or of another training
   */
  Optional<TrainingState> load();

  /** Keeps a state in the place of the last. */
  void save(TrainingState state);

  /** Whether it is time to keep one; asked between steps. */
  boolean due();

  /**
   * Whether the training is to stop; asked between steps. It then keeps its state and throws {@link
   * Stopped}.
   */
  boolean stopAsked();

  /** Nothing is kept. */
  static Checkpoints none() {
    return new Checkpoints() {
      @Override
      public Optional<TrainingState> load() {
        return Optional.empty();
      }

      @Override
      public void save(TrainingState state) {}

      @Override
      public boolean due() {
        return false;
      }

      @Override
      public boolean stopAsked() {
        return false;
      }
    };
  }
}
