package dev.secateur.io;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How pixels become the numbers that a network of another program was trained on, where its file
 * does not say: (pixel / 255 - mean) / std of each channel, red first, or blue first.
 *
 * @param mean one number a channel, or one for all; none: 0
 * @param std likewise; none: 1
 * @param bgr whether the network takes channels in the order blue, green, red
 */
public record PixelScale(List<Float> mean, List<Float> std, boolean bgr) {
  /** Pixel / 255. */
  public static final PixelScale UNIT = new PixelScale(List.of(), List.of(), false);

  /** As Keras' applications name them. */
  public enum Named {
    /** The pixel itself, 0 to 255. */
    RAW(new PixelScale(List.of(), List.of(1 / 255f), false)),
    /** Pixel / 255. */
    UNIT(PixelScale.UNIT),
    /** -1 to 1. */
    TF(new PixelScale(List.of(0.5f), List.of(0.5f), false)),
    /** Blue, green, red, ImageNet's mean subtracted from each. */
    CAFFE(
        new PixelScale(
            List.of(123.68f / 255, 116.779f / 255, 103.939f / 255), List.of(1 / 255f), true));

    private final PixelScale scale;

    Named(PixelScale scale) {
      this.scale = scale;
    }

    public PixelScale scale() {
      return scale;
    }

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public PixelScale {
    mean = List.copyOf(mean);
    std = List.copyOf(std);
  }

  /**
   * A network that was read as one of pixel / 255, told of this.
   *
   * @throws IllegalArgumentException for another number of channels
   */
  Model of(Model model) {
    Node input = model.graph().input();
    Input image = (Input) input.op();
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    HostTensor m = parameters.get(input.name() + ".mean");
    HostTensor s = parameters.get(input.name() + ".std");
    float[] newMean = new float[m.data().length];
    float[] newStd = new float[newMean.length];
    int each = newMean.length / image.channels();
    for (int i = 0; i < newMean.length; i++) {
      int c = bgr ? image.channels() - 1 - i / each : i / each; // the file's own are in its order
      double centre = channel(mean, c, 0, image.channels());
      double scale = channel(std, c, 1, image.channels());
      int to = bgr ? c * each + i % each : i;
      newMean[to] = (float) (255 * centre + m.data()[i] * scale);
      newStd[to] = (float) (s.data()[i] * scale);
    }
    parameters.put(input.name() + ".mean", new HostTensor(m.shape(), newMean));
    parameters.put(input.name() + ".std", new HostTensor(s.shape(), newStd));
    return new Model(
        bgr ? turned(model.graph(), image) : model.graph(), parameters, model.metadata());
  }

  private static double channel(List<Float> given, int c, double otherwise, int channels) {
    if (given.size() > 1 && given.size() != channels) {
      throw new IllegalArgumentException(
          given.size()
              + " numbers of the mean or deviation; the input has "
              + channels
              + " channels");
    }
    return given.isEmpty() ? otherwise : given.get(given.size() == 1 ? 0 : c);
  }

  /** With the channels turned round behind the input. */
  private static Graph turned(Graph graph, Input image) {
    String input = graph.input().name();
    String turned = input + ".bgr";
    List<Integer> order =
        IntStream.range(0, image.channels()).mapToObj(c -> image.channels() - 1 - c).toList();
    List<Node> nodes = new ArrayList<>();
    for (Node n : graph.nodes()) {
      List<String> in = n.inputs().stream().map(i -> i.equals(input) ? turned : i).toList();
      nodes.add(new Node(n.name(), n.op(), in, n.owner()));
      if (n == graph.input()) {
        nodes.add(new Node(turned, new SelectChannels(order), List.of(input)));
      }
    }
    return new Graph(nodes);
  }
}
