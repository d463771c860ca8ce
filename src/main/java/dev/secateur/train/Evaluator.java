package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Map;
import java.util.Optional;

/** Measures accuracy. Metrics gather on the device and are read once, at the end. */
public final class Evaluator {
  private Evaluator() {}

  /**
   * @param data images with classes, or pairs: then the network's output is an embedding, see
   *     {@link Verification}
   * @throws SecateurException when images or classes do not fit the network
   */
  public static Evaluation evaluate(
      Network net, Dataset data, int batch, ProgressListener progress) {
    if (data.paired()) {
      return Verification.of(net, data, batch, Verification.Distance.COSINE, progress).evaluation();
    }
    Device device = net.device();
    checkFits(net, data);
    try (InferenceProgram program = InferenceProgram.compile(net, batch, Optional.empty());
        Arena arena = device.newArena()) {
      Tensor metrics = arena.doubles(4);
      Kernel loss =
          device
              .training()
              .crossEntropy(
                  program.output(), program.input().labels(), 0, metrics, Optional.empty());
      try (BatchFeed feed = new BatchFeed(device, data, program.input(), data.size())) {
        progress.start("eval", data.size());
        long start = System.nanoTime();
        while (feed.next() > 0) {
          program.run();
          loss.launch();
          progress.step(feed.done(), Map.of());
        }
        double[] m = device.downloadDoubles(metrics);
        double seconds = (System.nanoTime() - start) / 1e9;
        progress.finish();
        return new Evaluation(
            m[0] / m[3], 100 * m[1] / m[3], 100 * m[2] / m[3], (long) m[3], data.size() / seconds);
      }
    }
  }

  /**
   * Whether a network takes the images and, unless they are pairs, knows their classes.
   *
   * @throws SecateurException when images or classes do not fit the network
   */
  public static void checkFits(Network net, Dataset data) {
    Shape in = net.graph().shape(net.graph().input().name());
    if (in.dim(1) != data.channels() || in.dim(2) != data.height() || in.dim(3) != data.width()) {
      throw new SecateurException(
          "images are "
              + Shape.of(data.channels(), data.height(), data.width())
              + ", the network takes "
              + Shape.of(in.dim(1), in.dim(2), in.dim(3)));
    }
    int classes = net.graph().shape(net.graph().output().name()).size(1);
    if (!data.paired() && classes < data.classNames().size()) {
      throw new SecateurException(
          "the network has " + classes + " classes, the data " + data.classNames().size());
    }
  }
}
