package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Folding;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Parameters;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Copies of a network's parameters as they are now, for inference. */
final class Snapshots implements Parameters {
  private final Network net;
  private final Device device;
  private final Arena arena;
  private final Widths widths;
  private long bytes;

  Snapshots(Network net, Widths widths, Arena arena) {
    this.net = net;
    this.widths = widths;
    this.device = net.device();
    this.arena = arena;
  }

  @Override
  public Tensor weights(String parameter) {
    boolean bank = net.parameter(parameter).shape().rank() == 4;
    Layout layout = bank ? device.weightLayout() : Layout.PLAIN;
    return copy(parameter, device.activationType(), layout);
  }

  @Override
  public Tensor vector(String parameter, DType type) {
    return copy(parameter, type, Layout.PLAIN);
  }

  private Tensor copy(String parameter, DType type, Layout layout) {
    Tensor y = take(widths.parameter(parameter), type, layout);
    device.norms().fold(Folding.copy(net.parameter(parameter), y)).launch();
    return y;
  }

  /** Memory for a copy. */
  private Tensor take(Shape shape, DType type, Layout layout) {
    Tensor t = arena.allocate(shape, type, layout);
    bytes += t.bytes();
    return t;
  }

  /** Weights and what is added to their results. */
  record Folded(Tensor weights, Optional<Tensor> shift) {}

  /**
   * A convolution's weights and bias, the norm that follows it folded into them.
   *
   * @param convolution what the names of its parameters begin with
   * @param bias whether the convolution has one
   */
  Folded folded(String convolution, boolean bias, Optional<Node> norm) {
    String weight = convolution + ".weight";
    Tensor y = take(widths.parameter(weight), device.activationType(), device.weightLayout());
    Optional<Tensor> own =
        bias ? Optional.of(net.parameter(convolution + ".bias")) : Optional.empty();
    Optional<Tensor> shift =
        bias || norm.isPresent()
            ? Optional.of(take(Shape.of(y.shape().dim(0)), y.dtype(), Layout.PLAIN))
            : Optional.empty();
    return folded(net.parameter(weight), own, norm, y, shift);
  }

  /**
   * The scale and shift of a norm by itself, F32.
   *
   * @param channels as wide as what it reads
   */
  Folded folded(Node norm, long channels) {
    Tensor ones = arena.floats(net.parameter(norm.parameter("weight")).elements());
    device.moves().fill(ones, 1).launch();
    Tensor y = take(Shape.of(channels), DType.F32, Layout.PLAIN);
    Tensor shift = take(Shape.of(channels), DType.F32, Layout.PLAIN);
    return folded(ones, Optional.empty(), Optional.of(norm), y, Optional.of(shift));
  }

  private Folded folded(
      Tensor weights,
      Optional<Tensor> bias,
      Optional<Node> norm,
      Tensor y,
      Optional<Tensor> shift) {
    device.norms().fold(new Folding(weights, bias, norm.map(this::statistics), y, shift)).launch();
    return new Folded(y, shift);
  }

  private Folding.Norm statistics(Node norm) {
    return new Folding.Norm(
        net.parameter(norm.parameter("weight")),
        net.parameter(norm.parameter("bias")),
        net.parameter(norm.parameter("running_mean")),
        net.parameter(norm.parameter("running_var")),
        ((BatchNorm) norm.op()).eps());
  }

  /** The normalisation of pixels. */
  InputScale inputScale() {
    InputScale s = InputScale.of(net, arena);
    bytes += s.scale().bytes() + s.shift().bytes();
    return s;
  }

  /** Bytes of all copies made so far. */
  long bytes() {
    return bytes;
  }
}
