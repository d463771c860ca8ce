package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Device;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * x above 0, else slope x with a slope for each channel (He et al. 2015): {@code NAME.weight} (C).
 * The slopes go with their channels and have no say in which do.
 */
public record PRelu() implements Op {
  static final OpType<PRelu> TYPE = OpType.plain("PRelu", PRelu.class, new PRelu());

  private static final ElementwiseSpec BELOW =
      new ElementwiseSpec(ElementwiseSpec.Kind.CLIP, -Float.MAX_VALUE, 0);

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "prelu";
  }

  @Override
  public Shape output(List<Shape> in) {
    return in.get(0);
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    return Map.of("weight", Shape.of(width));
  }

  @Override
  public boolean passesChannels() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.pass();
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    return Map.of("weight", ParameterCut.first(kept.out()));
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return Fit.withRoom(out, wide.get(0));
  }

  /** What is above and below zero, kept for the gradients. */
  private record Halves(Tensor above, Tensor below) {}

  private static Kernel forward(Operands o, Halves h, Tensor slopes) {
    Device d = o.device();
    return Kernel.each(
        List.of(
            d.pointwise().activation(Activation.RELU, o.first(), h.above()),
            d.pointwise().elementwise(BELOW, o.first(), h.below()),
            sum(o, h.below(), slopes, h.above(), o.y())));
  }

  /** y = slope a + b. */
  private static Kernel sum(Operands o, Tensor a, Tensor slopes, Tensor b, Tensor y) {
    Tensor zero = o.filled(slopes.elements(), 0, DType.F32);
    return o.device()
        .norms()
        .affine(
            new Norms.Affine(
                o.image(a), slopes, zero, Optional.of(o.image(b)), Activation.NONE, o.image(y)));
  }

  @Override
  public Kernel forward(Operands o) {
    Halves h = new Halves(o.like(o.y()), o.like(o.y()));
    return forward(o, h, o.vector("weight", DType.F32));
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    Device d = o.device();
    Halves h = new Halves(o.like(o.y()), o.like(o.y()));
    Tensor slopes = t.wide("weight");
    t.forward(forward(o, h, slopes));
    Tensor x = o.first();
    Shape each = Shape.of(x.shape().dim(0), x.shape().dim(1), 1, 1);
    Tensor products = o.arena().allocate(each, x.dtype(), d.activationLayout());
    t.backward(d.reductions().channelProducts(o.image(h.below()), o.image(t.dy()), products));
    t.backward(d.reductions().biasBackward(products, t.gradients().ofVector(o.node() + ".weight")));
    Halves back = new Halves(o.like(o.y()), o.like(o.y()));
    t.backward(d.pointwise().activationBackward(Activation.RELU, h.above(), t.dy(), back.above()));
    t.backward(d.pointwise().elementwiseBackward(BELOW, x, t.dy(), back.below()));
    t.backward(sum(o, back.below(), slopes, back.above(), t.gradient(0)));
    t.contribute(0);
  }
}
