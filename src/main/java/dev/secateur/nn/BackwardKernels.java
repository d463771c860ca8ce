package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionKernels;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ConvolutionTraining;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The gradients of one node by its inputs and its weights, for the ops whose backward needs no more
 * than their inputs, result and dy; and convolutions. Batch norm, layer norm, pooling, activations
 * and additions, which share state or memory with their forward, are {@link TrainingProgram}'s.
 */
final class BackwardKernels {
  private final Device device;
  private final Arena arena;
  private final ForwardKernels forward;
  private final Parameters parameters;
  private final Gradients gradients;

  /**
   * @param arena for tables that kernels read, and sums in between
   */
  BackwardKernels(
      Device device,
      Arena arena,
      ForwardKernels forward,
      Parameters parameters,
      Gradients gradients) {
    this.device = device;
    this.arena = arena;
    this.forward = forward;
    this.parameters = parameters;
    this.gradients = gradients;
  }

  /** A convolution's kernels in both directions, but for its bias' gradient. */
  ConvolutionKernels convolution(
      Node n, ConvolutionSpec spec, Tensor x, Tensor y, Tensor dy, Optional<Tensor> dx) {
    boolean has = ((Op.Convolution) n.op()).bias();
    Optional<Tensor> bias =
        has ? Optional.of(parameters.vector(n.name() + ".bias", y.dtype())) : Optional.empty();
    return device
        .convolutions()
        .training(
            new ConvolutionTraining(spec, x, weight(n), bias, y, dy, weightGradient(n), dx), arena);
  }

  /** The gradient of a node's bias. */
  Kernel bias(Node n, Tensor dy) {
    return device.reductions().biasBackward(dy, gradients.ofVector(n.name() + ".bias"));
  }

  /** The gradients of a node's weight and bias; none for a node without. */
  List<Kernel> weights(Node n, Tensor x, Tensor dy) {
    List<Kernel> out = new ArrayList<>();
    boolean bias = false;
    if (n.op() instanceof Op.TransposedConvolution t) {
      out.add(device.convolutions().backwardWeights(t.spec(), dy, x, weightGradient(n)));
      bias = t.bias();
    } else if (n.op() instanceof Op.Linear l) {
      linear(x, dy, gradients.of(n.name() + ".weight"), out);
      bias = l.bias();
    }
    if (bias) {
      out.add(bias(n, dy));
    }
    return out;
  }

  /** What belongs to additional features of x is left out. */
  private void linear(Tensor x, Tensor dy, Tensor dw, List<Kernel> out) {
    long in = dw.shape().dim(1);
    if (x.shape().dim(1) == in) {
      out.add(device.linear().backwardWeights(x, dy, dw));
      return;
    }
    Tensor wide = arena.floats(dw.shape().dim(0), x.shape().dim(1));
    Tensor own = arena.allocate(Shape.of(in), DType.I32, Layout.PLAIN);
    device.upload(IntStream.range(0, (int) in).toArray(), own);
    out.add(device.linear().backwardWeights(x, dy, wide));
    out.add(device.moves().gather(wide, 1, own, dw));
  }

  /**
   * The gradient of one of a node's inputs.
   *
   * @param n at the widths of x and y
   * @param x what the node read
   * @param channels of its own that each x has
   * @param dx shaped as {@code x.get(input)}
   */
  Kernel input(
      Node n, int input, List<Tensor> x, List<Long> channels, Tensor y, Tensor dy, Tensor dx) {
    Op op = n.op();
    if (op instanceof Op.TransposedConvolution t) {
      ConvolutionSpec spec = t.spec();
      return device.convolutions().forward(spec, dy, weight(n), Epilogue.NONE, dx, false);
    }
    if (op instanceof Op.Linear) {
      return device.linear().backwardData(dy, weight(n), dx);
    }
    if (op instanceof Op.Elementwise e) {
      return device.pointwise().elementwiseBackward(e.spec(), x.get(0), dy, dx);
    }
    if (op instanceof Op.Softmax) {
      return device.norms().softmaxBackward(y, dy, dx);
    }
    if (op instanceof Op.Multiply) {
      boolean alike = x.get(0).shape().equals(x.get(1).shape());
      return input == 0 || alike
          ? device.pointwise().multiply(dy, x.get(1 - input), dx)
          : device.reductions().channelProducts(x.get(0), dy, dx);
    }
    if (op instanceof Op.Concat) {
      long channel = 0;
      for (long before : channels.subList(0, input)) {
        channel += before;
      }
      return device
          .moves()
          .sliceChannels(forward.image(dy), channel, channels.get(input), forward.image(dx));
    }
    if (op instanceof Op.SelectChannels s) {
      return deselect(s.channels(), dy, dx);
    }
    if (op instanceof Op.Pad p) {
      return device.moves().pad(dy, -p.top(), -p.left(), 0, dx);
    }
    if (op instanceof Op.Resize r) {
      return device.moves().resizeBackward(r.spec(), dy, dx);
    }
    if (op instanceof Op.Shortcut s) {
      return device.moves().shortcutBackward(dy, s.stride(), s.before(), channels.get(0), dx);
    }
    if (op instanceof Op.Flatten) {
      return device.moves().copy(ForwardKernels.plain(dy, dx.shape()), dx);
    }
    throw new IllegalStateException("no code for the gradient of " + op);
  }

  /**
   * dx[:, c] = Σ over j with channels[j] = c of dy[:, j]: the k-th occurrences of all channels are
   * one choice of channels of dy, and these are added up. Mostly no channel occurs twice.
   */
  private Kernel deselect(List<Integer> channels, Tensor dy, Tensor dx) {
    List<Integer[]> rounds = new ArrayList<>();
    int[] seen = new int[dx.shape().size(1)];
    for (int j = 0; j < channels.size(); j++) {
      int c = channels.get(j);
      if (c < 0) {
        continue;
      }
      if (seen[c] == rounds.size()) {
        Integer[] none = new Integer[seen.length];
        Arrays.fill(none, -1);
        rounds.add(none);
      }
      rounds.get(seen[c]++)[c] = j;
    }
    Kernel first = forward.select(dy, List.of(rounds.get(0)), dx);
    if (rounds.size() == 1) {
      return first;
    }
    List<Kernel> all = new ArrayList<>(List.of(first));
    Tensor more = arena.allocate(dx.shape(), dx.dtype(), dx.layout());
    for (Integer[] round : rounds.subList(1, rounds.size())) {
      all.add(forward.select(dy, List.of(round), more));
      all.add(device.pointwise().add(dx, more, Activation.NONE, dx));
    }
    return () -> all.forEach(Kernel::launch);
  }

  private Tensor weight(Node n) {
    return parameters.weights(n.name() + ".weight");
  }

  private Tensor weightGradient(Node n) {
    return gradients.ofFilters(n.name() + ".weight");
  }
}
