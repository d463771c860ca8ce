package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * x over (bias + alpha / size Σ x²) to the power of beta, the sum over {@code size} neighbouring
 * channels (Krizhevsky et al. 2012), as ONNX's LRN. Its channels stay, since neighbours count.
 *
 * <p>On a device the sum is a convolution by a band of constants.
 */
public record LocalResponseNorm(int size, float alpha, float beta, float bias) implements Op {
  static final OpType<LocalResponseNorm> TYPE =
      new OpType<>(
          "LocalResponseNorm",
          LocalResponseNorm.class,
          (op, to) ->
              to.put("size", op.size)
                  .put("alpha", op.alpha)
                  .put("beta", op.beta)
                  .put("bias", op.bias),
          a ->
              new LocalResponseNorm(
                  a.whole("size"), a.number("alpha"), a.number("beta"), a.number("bias")));

  private static final ConvolutionSpec ONE = ConvolutionSpec.of(1, 0);

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "local response norm";
  }

  @Override
  public Shape output(List<Shape> in) {
    Fit.positive(size);
    if (in.get(0).rank() != 4) {
      throw new IllegalArgumentException("reads an image");
    }
    return in.get(0);
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.fix();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return in.get(0).dim(1) == wide.get(0) ? OptionalLong.of(out) : OptionalLong.empty();
  }

  private ElementwiseSpec power() {
    return new ElementwiseSpec(ElementwiseSpec.Kind.POWER, -beta, 0);
  }

  /** (C, C, 1, 1): alpha / size where channels are neighbours. */
  private Tensor band(Operands o) {
    int c = o.y().shape().size(1);
    float[] w = new float[c * c];
    for (int k = 0; k < c; k++) {
      for (int j = Math.max(0, k - (size - 1) / 2); j < Math.min(c, k + size / 2 + 1); j++) {
        w[k * c + j] = alpha / size;
      }
    }
    return o.filters(Shape.of(c, c, 1, 1), w);
  }

  /**
   * @param sums takes bias + alpha / size Σ x²
   * @param powers takes these to the power of -beta
   */
  private Kernel forward(Operands o, Tensor band, Tensor sums, Tensor powers) {
    Device d = o.device();
    Tensor squares = o.like(o.y());
    Tensor constant = o.filled(o.y().shape().dim(1), bias, o.y().dtype());
    Epilogue add = new Epilogue(Optional.of(constant), Optional.empty(), Activation.NONE);
    return Kernel.each(
        List.of(
            d.pointwise().multiply(o.first(), o.first(), squares),
            d.convolutions().forward(ONE, squares, band, add, sums, false),
            d.pointwise().elementwise(power(), sums, powers),
            d.pointwise().multiply(o.first(), powers, o.y())));
  }

  @Override
  public Kernel forward(Operands o) {
    return forward(o, band(o), o.like(o.y()), o.like(o.y()));
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    Device d = o.device();
    Tensor band = band(o);
    Tensor sums = o.like(o.y());
    Tensor powers = o.like(o.y());
    t.forward(forward(o, band, sums, powers));
    Tensor x = o.first();
    Tensor a = o.like(o.y());
    Tensor b = o.like(o.y());
    Tensor dx = t.gradient(0);
    List<Kernel> all = new ArrayList<>();
    all.add(d.pointwise().multiply(t.dy(), x, a));
    all.add(d.pointwise().elementwiseBackward(power(), sums, a, a));
    all.add(d.convolutions().backwardData(ONE, a, band, b));
    all.add(d.pointwise().multiply(x, b, a)); // twice, as x² has the slope 2x
    all.add(d.pointwise().multiply(t.dy(), powers, dx));
    all.add(d.pointwise().add(dx, a, Activation.NONE, dx));
    all.add(d.pointwise().add(dx, a, Activation.NONE, dx));
    t.backward(Kernel.each(all));
    t.contribute(0);
  }
}
