package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * What a node's kernels work on.
 *
 * @param arena for tables that kernels read
 * @param node what the names of its parameters begin with
 * @param x what it reads, with the batch in the first axis
 * @param channels of the network's own that each x has, others behind them
 * @param y its result; may be the first x where {@link Op#worksInPlace}
 */
public record Operands(
    Device device,
    Arena arena,
    Parameters parameters,
    String node,
    List<Tensor> x,
    List<Long> channels,
    Tensor y) {

  /** The first input. */
  public Tensor first() {
    return x.get(0);
  }

  Tensor weight() {
    return parameters.weights(node + ".weight");
  }

  Tensor vector(String part, DType type) {
    return parameters.vector(node + "." + part, type);
  }

  Optional<Tensor> bias(boolean present) {
    return present ? Optional.of(vector("bias", y.dtype())) : Optional.empty();
  }

  /** A bias, where there is one, and nothing more. */
  Epilogue epilogue(boolean bias) {
    return new Epilogue(bias(bias), Optional.empty(), Activation.NONE);
  }

  /** Memory of its own in the shape, type and layout of a tensor. */
  Tensor like(Tensor t) {
    return arena.allocate(t.shape(), t.dtype(), t.layout());
  }

  /** A vector of equal numbers. */
  Tensor filled(long size, double value, DType type) {
    Tensor v = arena.allocate(Shape.of(size), type, Layout.PLAIN);
    device.moves().fill(v, value).launch();
    return v;
  }

  /**
   * Weights that never change, as convolutions read them.
   *
   * @param shape (K, C/groups, R, S), of which C/groups or R and S are 1, so that any layout has
   *     them in one order
   */
  Tensor filters(Shape shape, float[] values) {
    Tensor w = arena.allocate(shape, device.activationType(), device.weightLayout());
    device.upload(values, plain(w, shape));
    return w;
  }

  /** y = scale x + shift, by channel; the vectors are F32. */
  Kernel scaled(Tensor x, Tensor scale, Tensor shift, Tensor y) {
    return device
        .norms()
        .affine(
            new Norms.Affine(image(x), scale, shift, Optional.empty(), Activation.NONE, image(y)));
  }

  /** (N,C) as (N,C,1,1), which is the same memory in any layout. */
  public static Tensor image(Device device, Tensor t) {
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

  Tensor image(Tensor t) {
    return image(device, t);
  }

  /** The memory of t in PLAIN order under another shape. */
  public static Tensor plain(Tensor t, Shape shape) {
    return new Tensor(t.buffer(), t.byteOffset(), shape, t.dtype(), Layout.PLAIN);
  }
}
