package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.Imitation;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.List;
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
    return evaluate(net, Optional.empty(), data, batch, progress);
  }

  /**
   * The same, of images without labels too.
   *
   * @param reference whose outputs such images are measured by, with as many
   * @throws SecateurException when there is none and images have no labels
   */
  public static Evaluation evaluate(
      Network net,
      Optional<Network> reference,
      Dataset data,
      int batch,
      ProgressListener progress) {
    if (data.paired()) {
      return Verification.of(net, data, batch, Verification.Distance.COSINE, progress).evaluation();
    }
    checkFits(net, data);
    Device device = net.device();
    try (InferenceProgram program = InferenceProgram.compile(net, batch, Optional.empty());
        Arena arena = device.newArena();
        Cleanup others = new Cleanup()) {
      Tensor metrics = arena.doubles(4);
      Tensor labels = program.input().labels();
      List<Kernel> kernels = new ArrayList<>();
      if (data.labels().classes()) {
        kernels.add(
            device.training().crossEntropy(program.output(), labels, 0, metrics, Optional.empty()));
      } else {
        InferenceProgram beside = program.beside(checkReference(net, reference));
        others.add(beside::close);
        kernels.add(beside::run);
        kernels.add(
            Imitation.loss(
                device,
                net.graph(),
                program.output(),
                beside.output(),
                labels,
                metrics,
                Optional.empty(),
                arena));
      }
      try (BatchFeed feed = new BatchFeed(device, data, program.input(), data.size())) {
        progress.start("eval", data.size());
        long start = System.nanoTime();
        while (feed.next() > 0) {
          program.run();
          kernels.forEach(Kernel::launch);
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

  private static Network checkReference(Network net, Optional<Network> reference) {
    Network other =
        reference.orElseThrow(
            () ->
                new SecateurException(
                    "images without classes only tell how near a network is to another one;"
                        + " expected a network to compare with"));
    String difference = difference(other, net);
    if (!difference.isEmpty()) {
      throw new SecateurException("the other network cannot be compared with: " + difference);
    }
    return other;
  }

  /** Why two networks cannot be compared by what they put out for an image; empty if they can. */
  static String difference(Network other, Network net) {
    Shape images = other.graph().shape(other.graph().input().name());
    Shape own = net.graph().shape(net.graph().input().name());
    if (!images.equals(own)) {
      return "it takes " + images + ", the network " + own;
    }
    Shape outputs = other.graph().shape(other.graph().output().name());
    Shape wanted = net.graph().shape(net.graph().output().name());
    return outputs.equals(wanted) ? "" : "its output is " + outputs + ", the network's " + wanted;
  }

  /**
   * Whether a network takes the images and, where they have some, knows their classes.
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
    if (data.labels().classes() && Imitation.only(net.graph())) {
      throw new SecateurException(
          "the network's outputs are no classes, and the data tells classes alone");
    }
    if (data.labels().classes() && classes < data.classNames().size()) {
      throw new SecateurException(
          "the network has " + classes + " classes, the data " + data.classNames().size());
    }
  }
}
