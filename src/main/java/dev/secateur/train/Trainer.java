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

/** Trains a network in place, from momentum zero. */
public final class Trainer {
  private static final int STEPS_BETWEEN_REPORTS = 20;

  private Trainer() {}

  /**
   * @return one entry an epoch
   * @throws SecateurException when images do not fit, are fewer than a batch, or the loss stops
   *     being a finite number
   */
  public static List<EpochMetrics> train(
      Network net, Dataset data, TrainingOptions options, ProgressListener progress) {
    Evaluator.checkFits(net, data);
    if (data.size() < options.batch()) {
      throw new SettingException(
          "fine-tuning.batch-size",
          options.batch() + ": the data has only " + data.size() + " images");
    }
    Device device = net.device();
    net.clearMomentum();
    List<EpochMetrics> out = new ArrayList<>();
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
      int epochs = options.schedule().epochs();
      for (int epoch = 0; epoch < epochs; epoch++) {
        feed.startEpoch(epoch);
        program.clearMetrics();
        progress.start("epoch " + (epoch + 1) + "/" + epochs, feed.images());
        long start = System.nanoTime();
        double rate = 0;
        for (int step = 0; ; step++) {
          rate = options.schedule().at(epoch + (double) feed.done() / feed.images());
          if (feed.next() == 0) {
            break;
          }
          program.setLearningRate((float) rate);
          program.step();
          boolean report = step % STEPS_BETWEEN_REPORTS == STEPS_BETWEEN_REPORTS - 1;
          progress.step(feed.done(), report ? values(device, program, epoch) : Map.of());
        }
        Map<String, Double> v = values(device, program, epoch);
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.finish();
        out.add(
            new EpochMetrics(
                epoch + 1, v.get("loss"), v.get("accuracy"), rate, feed.images() / seconds));
      }
    }
    return out;
  }

  private static Map<String, Double> values(Device device, TrainingProgram program, int epoch) {
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
