package dev.secateur.train;

import dev.secateur.data.Dataset;
import dev.secateur.data.ForwardingDataset;
import dev.secateur.data.Labels;
import dev.secateur.device.Device;
import dev.secateur.nn.Imitation;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** Images with the classes that a network says. */
public final class Predictions extends ForwardingDataset {
  private final int[] labels;
  private final List<String> names;

  private Predictions(Dataset of, int[] labels, List<String> names) {
    super(of);
    this.labels = labels;
    this.names = names;
  }

  /**
   * Images without labels get the class of largest output, of several the first; others are left as
   * they are, and so are all where the network's outputs are no classes.
   *
   * @param batch images at once
   * @throws dev.secateur.SecateurException when images do not fit the network
   */
  public static Dataset of(Network net, Dataset images, int batch, ProgressListener progress) {
    int classes = net.graph().shape(net.graph().output().name()).size(1);
    if (images.labels() != Labels.NONE || Imitation.only(net.graph()) || classes < 2) {
      return images;
    }
    Evaluator.checkFits(net, images);
    Device device = net.device();
    int[] labels = new int[images.size()];
    Numbered numbered = new Numbered(images);
    try (InferenceProgram program = InferenceProgram.compile(net, batch, Optional.empty());
        BatchFeed feed = new BatchFeed(device, numbered, program.input(), images.size())) {
      progress.start("predict", images.size());
      for (int rows = feed.next(); rows > 0; rows = feed.next()) {
        program.run();
        float[] out = device.downloadFloats(program.output());
        int[] index = feed.labels();
        for (int i = 0; i < rows; i++) {
          labels[index[i]] = largest(out, i * classes, classes);
        }
        progress.step(feed.done(), Map.of());
      }
      progress.finish();
    }
    return new Predictions(
        images, labels, IntStream.range(0, classes).mapToObj(Integer::toString).toList());
  }

  private static int largest(float[] values, int from, int count) {
    int best = 0;
    for (int i = 1; i < count; i++) {
      best = values[from + i] > values[from + best] ? i : best;
    }
    return best;
  }

  /** Images whose labels are their numbers, so that rows of a batch can be told. */
  private static final class Numbered extends ForwardingDataset {
    Numbered(Dataset of) {
      super(of);
    }

    @Override
    public List<String> classNames() {
      return Collections.nCopies(size(), "");
    }

    @Override
    public int label(int index) {
      return index;
    }

    @Override
    public Labels labels() {
      return Labels.CLASSES;
    }
  }

  @Override
  public List<String> classNames() {
    return names;
  }

  @Override
  public int label(int index) {
    return labels[index];
  }

  @Override
  public Labels labels() {
    return Labels.PREDICTED;
  }
}
