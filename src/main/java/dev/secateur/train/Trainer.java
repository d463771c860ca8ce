package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.nn.Network;
import dev.secateur.nn.TrainingProgram;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Trains a network in place, from momentum zero, or from where its {@link Checkpoints} have it.
 * Numbers come from the device only when they are reported, about once a second, and when a state
 * is kept.
 */
public final class Trainer {
  private static final long NANOS_BETWEEN_REPORTS = 1_000_000_000;

  private final TrainingOptions options;
  private final TrainingContext context;
  private final Device device;
  private final TrainingProgram program;
  private final BatchFeed feed;
  private final List<EpochMetrics> epochs = new ArrayList<>();
  private int epoch;

  /** Seconds that the epoch took in earlier starts. */
  private double before;

  /** When this start began with the epoch. */
  private long start;

  private Trainer(
      TrainingOptions options,
      TrainingContext context,
      Device device,
      TrainingProgram program,
      BatchFeed feed) {
    this.options = options;
    this.context = context;
    this.device = device;
    this.program = program;
    this.feed = feed;
  }

  /**
   * @return one entry an epoch
   * @throws Stopped when it was asked to stop; its state is kept
   * @throws SecateurException when images do not fit, are fewer than a batch, or the loss stops
   *     being a finite number
   */
  public static List<EpochMetrics> train(
      Network net, Dataset data, TrainingOptions options, TrainingContext context) {
    Evaluator.checkFits(net, data);
    if (data.size() < options.batch()) {
      throw new SettingException(
          "fine-tuning.batch-size",
          options.batch() + ": the data has only " + data.size() + " images");
    }
    Device device = net.device();
    net.clearMomentum();
    Optional<TrainingState> earlier = context.checkpoints().load();
    try (TrainingProgram program =
            TrainingProgram.compile(
                net, options.batch(), options.sgd(), options.augmentation().padding());
        BatchFeed feed =
            new BatchFeed(
                device,
                data,
                program.pixels(),
                program.labels(),
                program.crops(),
                options.augmentation(),
                options.seed())) {
      return new Trainer(options, context, device, program, feed).run(earlier);
    }
  }

  private List<EpochMetrics> run(Optional<TrainingState> earlier) {
    int done = 0;
    if (earlier.isPresent()) {
      restore(earlier.get());
      done = earlier.get().done();
    }
    int all = options.schedule().epochs();
    for (; epoch < all; epoch++) {
      feed.startEpoch(epoch, done);
      context.progress().epoch(epoch + 1, all, feed.images());
      if (done == 0) {
        program.clearMetrics();
        before = 0;
      }
      start = System.nanoTime();
      epochs.add(train());
      context.progress().finish();
      context.progress().epochDone(List.copyOf(epochs));
      done = 0;
    }
    return epochs;
  }

  /** The rest of an epoch. */
  private EpochMetrics train() {
    long reported = start;
    while (true) {
      double rate = options.schedule().at(epoch + (double) feed.done() / feed.images());
      keep();
      if (feed.next() == 0) {
        Map<String, Double> v = values();
        double seconds = seconds();
        return new EpochMetrics(
            epoch + 1, v.get("loss"), v.get("accuracy"), rate, feed.images() / seconds, seconds);
      }
      program.setLearningRate((float) rate);
      program.step();
      long now = System.nanoTime();
      boolean report = now - reported >= NANOS_BETWEEN_REPORTS;
      reported = report ? now : reported;
      context.progress().step(feed.done(), report ? values() : Map.of());
    }
  }

  /** Between two steps. */
  private void keep() {
    Checkpoints checkpoints = context.checkpoints();
    boolean stop = checkpoints.stopAsked();
    if (stop || checkpoints.due()) {
      checkpoints.save(
          new TrainingState(
              epoch,
              feed.done(),
              device.downloadDoubles(program.metrics()),
              seconds(),
              List.copyOf(epochs),
              program.state()));
    }
    if (stop) {
      throw new Stopped();
    }
  }

  private void restore(TrainingState state) {
    try {
      program.restore(state.tensors(), state.metrics());
    } catch (IllegalArgumentException e) {
      throw new SecateurException(
          "the state that was kept is of another network: " + e.getMessage(), e);
    }
    epoch = state.epoch();
    before = state.seconds();
    epochs.addAll(state.epochs());
  }

  private double seconds() {
    return before + (System.nanoTime() - start) / 1e9;
  }

  private Map<String, Double> values() {
    double[] m = device.downloadDoubles(program.metrics());
    if (!Double.isFinite(m[0])) {
      throw new SecateurException(
              "the loss is not a finite number in epoch "
                  + (epoch + 1)
                  + ": try a smaller learning rate")
          .about("fine-tuning.lr");
    }
    return Map.of("loss", m[0] / m[3], "accuracy", 100 * m[1] / m[3]);
  }
}
