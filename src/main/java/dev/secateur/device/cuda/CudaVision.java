package dev.secateur.device.cuda;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.device.ResizeSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.device.VisionKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Layers beyond plain chains of convolutions; kernels/vision.inc. */
final class CudaVision implements VisionKernels {
  /** Neighbouring positions that a block takes where positions are neighbours in memory. */
  private static final int POSITIONS = 32;

  private final CudaKernels kernels;
  private final CudaPointwise pointwise;

  CudaVision(CudaKernels kernels, CudaPointwise pointwise) {
    this.kernels = kernels;
    this.pointwise = pointwise;
  }

  @Override
  public Kernel elementwise(ElementwiseSpec spec, Tensor x, Tensor y) {
    Require.congruent("x and y", x, y);
    return function(kernels.launch("elementwise", x.dtype()).arg(x).arg(y), spec, x);
  }

  @Override
  public Kernel elementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    Require.congruent("x and dy", x, dy);
    Require.congruent("x and dx", x, dx);
    return function(
        kernels.launch("elementwise_backward", x.dtype()).arg(x).arg(dy).arg(dx), spec, x);
  }

  private static Kernel function(Launch.Builder b, ElementwiseSpec spec, Tensor x) {
    return b.arg(x.elements())
        .arg(spec.kind().ordinal())
        .arg(spec.alpha())
        .arg(spec.beta())
        .over(x);
  }

  @Override
  public Kernel softmax(Tensor x, Tensor y) {
    channels("x", x);
    Require.congruent("x and y", x, y);
    return overChannels(kernels.launch("channel_softmax", x.dtype()).arg(x).arg(y), x);
  }

  @Override
  public Kernel softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    channels("y", y);
    Require.congruent("y and dy", y, dy);
    Require.congruent("y and dx", y, dx);
    return overChannels(
        kernels.launch("channel_softmax_backward", y.dtype()).arg(y).arg(dy).arg(dx), y);
  }

  @Override
  public Kernel layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    return layerNorm(x, gamma, beta, eps, y, Optional.empty());
  }

  private Kernel layerNorm(
      Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y, Optional<Tensor> statistics) {
    channels("x", x);
    Require.congruent("x and y", x, y);
    Require.vector("gamma", gamma, DType.F32, x.shape().dim(1));
    Require.vector("beta", beta, DType.F32, x.shape().dim(1));
    Launch.Builder b =
        kernels.launch("layer_norm", x.dtype()).arg(x).arg(gamma).arg(beta).arg(eps).arg(y);
    return overChannels(b.arg(statistics), x);
  }

  @Override
  public TrainingKernels layerNormTraining(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      float eps,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    Require.congruent("x and dy", x, dy);
    Require.congruent("x and dx", x, dx);
    Require.vector("dgamma", dgamma, DType.F32, x.shape().dim(1));
    Require.vector("dbeta", dbeta, DType.F32, x.shape().dim(1));
    long positions = x.elements() / x.shape().dim(1);
    Tensor statistics = arena.floats(positions, 2);
    Kernel forward = layerNorm(x, gamma, beta, eps, y, Optional.of(statistics));
    Launch.Builder b =
        kernels
            .launch("layer_norm_backward", x.dtype())
            .arg(x)
            .arg(gamma)
            .arg(statistics)
            .arg(dy)
            .arg(dx);
    Kernel input = overChannels(b, x);
    Launch.Builder p =
        kernels.launch("layer_norm_parameters", x.dtype()).arg(x).arg(statistics).arg(dy);
    Kernel parameters =
        extents(p.arg(dgamma).arg(dbeta), x).arg(Require.last(x)).rows(x.shape().dim(1), positions);
    return new TrainingKernels(
        forward,
        () -> {
          input.launch();
          parameters.launch();
        });
  }

  @Override
  public Kernel multiply(Tensor a, Tensor b, Tensor y) {
    Require.congruent("a and y", a, y);
    boolean each = a.shape().equals(b.shape());
    if (each) {
      Require.congruent("a and b", a, b);
    } else {
      Require.layer("a", a);
      factor("b", b, a);
    }
    return kernels
        .launch("product", a.dtype())
        .arg(a)
        .arg(b)
        .arg(y)
        .arg(a.elements())
        .arg(each ? 1 : a.shape().dim(1))
        .arg(each ? 0 : Require.pixels(a))
        .arg(Require.last(a))
        .over(a);
  }

  @Override
  public Kernel channelProducts(Tensor a, Tensor b, Tensor y) {
    Require.layer("a", a);
    Require.congruent("a and b", a, b);
    factor("y", y, a);
    Launch.Builder launch = kernels.launch("channel_products", a.dtype()).arg(a).arg(b).arg(y);
    return extents(launch, a).arg(Require.last(a)).rows(y.elements(), Require.pixels(a));
  }

  private static void factor(String name, Tensor t, Tensor of) {
    Require.layer(name, t);
    Require.alike(name + " and the activation", t, of);
    Shape expected = Shape.of(of.shape().dim(0), of.shape().dim(1), 1, 1);
    Require.that(t.shape().equals(expected), name + " must be " + expected, t);
  }

  @Override
  public Kernel selectChannels(Tensor x, Tensor channels, Tensor y) {
    channels("x", x);
    channels("y", y);
    Require.alike("x and y", x, y);
    Require.plain("channels", channels, DType.I32, 1);
    long count = channels.elements();
    Shape expected = x.shape().with(1, count);
    Require.that(y.shape().equals(expected), "y must be " + expected, y);
    return kernels
        .launch("gather_" + x.dtype().bytes())
        .arg(x)
        .arg(channels)
        .arg(y)
        .arg(y.elements())
        .arg(count)
        .arg(x.shape().dim(1))
        .arg(Require.inner(x))
        .over(y.elements());
  }

  @Override
  public Kernel pad(Tensor x, int top, int left, float value, Tensor y) {
    Require.layer("x", x);
    Require.layer("y", y);
    sameButSize(x, y);
    return sizes(kernels.launch("pad", x.dtype()).arg(x).arg(y).arg(value), x, y)
        .arg((long) top)
        .arg((long) left)
        .arg(Require.last(x))
        .over(y.elements());
  }

  @Override
  public Kernel resize(ResizeSpec spec, Tensor x, Tensor y) {
    return resize("resize", spec, x, y, x, y);
  }

  @Override
  public Kernel resizeBackward(ResizeSpec spec, Tensor dy, Tensor dx) {
    return resize("resize_backward", spec, dy, dx, dx, dy);
  }

  private Kernel resize(String name, ResizeSpec spec, Tensor from, Tensor to, Tensor x, Tensor y) {
    Require.layer("x", x);
    Require.layer("y", y);
    sameButSize(x, y);
    boolean fits = y.shape().dim(2) == spec.height() && y.shape().dim(3) == spec.width();
    Require.that(fits, "y must be " + spec.height() + "x" + spec.width(), y);
    Launch.Builder b = sizes(kernels.launch(name, from.dtype()).arg(from).arg(to), x, y);
    for (int axis = 2; axis < 4; axis++) {
      ResizeSpec.Axis a = spec.axis(x.shape().dim(axis), y.shape().dim(axis));
      b.arg(a.step()).arg(a.offset()).arg(a.divisor());
    }
    return b.arg(spec.mode() == ResizeSpec.Mode.BILINEAR).arg(Require.last(x)).over(to.elements());
  }

  @Override
  public Kernel addBias(Tensor bias, Activation activation, Tensor y) {
    Require.layer("y", y);
    Require.vector("bias", bias, y.dtype(), y.shape().dim(1));
    return pointwise.epilogue(y, Optional.of(bias), Optional.empty(), activation);
  }

  /** One block for some positions at a time: many neighbouring ones, or one with its channels. */
  private static Kernel overChannels(Launch.Builder b, Tensor x) {
    long positions = x.elements() / x.shape().dim(1);
    boolean planes = Require.inner(x) > 1;
    extents(b, x).arg(Require.last(x)).arg(planes ? POSITIONS : 1);
    return planes
        ? b.rows((positions + POSITIONS - 1) / POSITIONS, 8 * POSITIONS * 4)
        : b.rows(positions, x.shape().dim(1));
  }

  private static Launch.Builder extents(Launch.Builder b, Tensor x) {
    return b.arg(x.shape().dim(0)).arg(x.shape().dim(1)).arg(Require.pixels(x));
  }

  private static Launch.Builder sizes(Launch.Builder b, Tensor x, Tensor y) {
    Shape s = x.shape();
    return b.arg(s.dim(0))
        .arg(s.dim(1))
        .arg(s.dim(2))
        .arg(s.dim(3))
        .arg(y.shape().dim(2))
        .arg(y.shape().dim(3));
  }

  private static void sameButSize(Tensor x, Tensor y) {
    Require.alike("x and y", x, y);
    boolean fits = x.shape().with(2, 1).with(3, 1).equals(y.shape().with(2, 1).with(3, 1));
    Require.that(fits, "x and y must agree but in height and width", x, y);
  }

  /** An activation (N,C,H,W) or a matrix (N,C). */
  private static void channels(String name, Tensor t) {
    if (t.shape().rank() == 2) {
      Require.real(name, t);
      Require.plain(name, t, t.dtype(), 2);
    } else {
      Require.layer(name, t);
    }
  }
}
