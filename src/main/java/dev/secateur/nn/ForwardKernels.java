package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * The forward kernel of one node by itself, for every op but the input and batch norm, which
 * programs see to.
 */
final class ForwardKernels {
  private final Device device;
  private final Arena arena;
  private final Parameters parameters;

  /**
   * @param arena for tables that kernels read
   */
  ForwardKernels(Device device, Arena arena, Parameters parameters) {
    this.device = device;
    this.arena = arena;
    this.parameters = parameters;
  }

  /**
   * @param n at the widths of x and y
   * @param x what the node reads
   * @param channels of its own that each x has, others behind them
   * @param y its result; may be the first x where {@link #worksInPlace}
   */
  Kernel of(Node n, List<Tensor> x, List<Long> channels, Tensor y) {
    Op op = n.op();
    Tensor first = x.get(0);
    if (op instanceof Op.Convolution c) {
      Epilogue e = new Epilogue(bias(n, c.bias(), y), Optional.empty(), Activation.NONE);
      return device.convolutions().forward(c.spec(), first, weight(n), e, y, false);
    }
    if (op instanceof Op.TransposedConvolution t) {
      return transposed(t, n, first, y);
    }
    if (op instanceof Op.Linear l) {
      Epilogue e = new Epilogue(bias(n, l.bias(), y), Optional.empty(), Activation.NONE);
      return device.linear().forward(first, weight(n), e, y);
    }
    if (op instanceof Op.Activate a) {
      return device.pointwise().activation(a.activation(), first, y);
    }
    if (op instanceof Op.Elementwise e) {
      return device.pointwise().elementwise(e.spec(), first, y);
    }
    if (op instanceof Op.Softmax) {
      return device.norms().softmax(first, y);
    }
    if (op instanceof Op.LayerNorm l) {
      return device
          .norms()
          .layerNorm(
              first, vector(n, ".weight", DType.F32), vector(n, ".bias", DType.F32), l.eps(), y);
    }
    if (op instanceof Op.Pool p) {
      return device.pools().forward(p.spec(), first, y);
    }
    if (op instanceof Op.GlobalPool g) {
      return device.pools().forward(g.window(first.shape()), first, y);
    }
    if (op instanceof Op.Add) {
      return device.pointwise().add(first, x.get(1), Activation.NONE, y);
    }
    if (op instanceof Op.Multiply) {
      return device.pointwise().multiply(first, x.get(1), y);
    }
    if (op instanceof Op.Concat) {
      return device.moves().concat(x.stream().map(this::image).toList(), channels, image(y));
    }
    if (op instanceof Op.SelectChannels s) {
      return select(first, s.channels(), y);
    }
    if (op instanceof Op.Pad p) {
      return device.moves().pad(first, p.top(), p.left(), p.value(), y);
    }
    if (op instanceof Op.Resize r) {
      return device.moves().resize(r.spec(), first, y);
    }
    if (op instanceof Op.Shortcut s) {
      return device.moves().shortcut(first, s.stride(), s.before(), channels.get(0), y);
    }
    if (op instanceof Op.Flatten) {
      return device.moves().copy(first, plain(y, first.shape()));
    }
    throw new IllegalStateException("no code for " + op);
  }

  /** Whether the result may take the place of the first input. */
  static boolean worksInPlace(Op op) {
    return op instanceof Op.Activate || op instanceof Op.Elementwise || op instanceof Op.Multiply;
  }

  /** y[:, j] = x[:, channels[j]], 0 where the index is -1. */
  Kernel select(Tensor x, List<Integer> channels, Tensor y) {
    int from = channels.get(0);
    int count = 0;
    while (count < channels.size() && from >= 0 && channels.get(count) == from + count) {
      count++;
    }
    if (count > 0 && channels.subList(count, channels.size()).stream().allMatch(c -> c < 0)) {
      return device.moves().sliceChannels(image(x), from, count, image(y));
    }
    Tensor list = arena.allocate(Shape.of(channels.size()), DType.I32, Layout.PLAIN);
    device.upload(channels.stream().mapToInt(i -> i).toArray(), list);
    return device.moves().selectChannels(x, list, y);
  }

  private Kernel transposed(Op.TransposedConvolution t, Node n, Tensor x, Tensor y) {
    Kernel spread = device.convolutions().backwardData(t.spec(), x, weight(n), y);
    if (!t.bias()) {
      return spread;
    }
    Kernel bias = device.pointwise().addBias(vector(n, ".bias", y.dtype()), Activation.NONE, y);
    return () -> {
      spread.launch();
      bias.launch();
    };
  }

  private Tensor weight(Node n) {
    return parameters.weights(n.name() + ".weight");
  }

  private Tensor vector(Node n, String part, DType type) {
    return parameters.vector(n.name() + part, type);
  }

  private Optional<Tensor> bias(Node n, boolean present, Tensor y) {
    return present ? Optional.of(vector(n, ".bias", y.dtype())) : Optional.empty();
  }

  /** (N,C) as (N,C,1,1), which is the same memory in any layout. */
  Tensor image(Tensor t) {
    Shape s = t.shape();
    return s.rank() == 4
        ? t
        : new Tensor(
            t.buffer(),
            t.byteOffset(),
            Shape.of(s.dim(0), s.dim(1), 1, 1),
            t.dtype(),
            device.activationLayout());
  }

  /** The memory of t in PLAIN order under another shape. */
  static Tensor plain(Tensor t, Shape shape) {
    return new Tensor(t.buffer(), t.byteOffset(), shape, t.dtype(), Layout.PLAIN);
  }
}
