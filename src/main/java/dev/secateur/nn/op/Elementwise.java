package dev.secateur.nn.op;

import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalLong;

/** Another function of one number. */
public record Elementwise(ElementwiseSpec spec) implements Op {
  static final OpType<Elementwise> TYPE =
      new OpType<>(
          "Elementwise",
          Elementwise.class,
          (op, to) ->
              to.object(
                  "spec",
                  s ->
                      s.put("kind", name(op.spec.kind()))
                          .put("alpha", op.spec.alpha())
                          .put("beta", op.spec.beta())),
          a ->
              new Elementwise(
                  a.object(
                      "spec",
                      s ->
                          new ElementwiseSpec(
                              s.choice("kind", ElementwiseSpec.Kind.values(), Elementwise::name),
                              s.number("alpha"),
                              s.number("beta")))));

  private static String name(ElementwiseSpec.Kind k) {
    return switch (k) {
      case LEAKY_RELU -> "LEAKY_RELU";
      case ELU -> "ELU";
      case CLIP -> "CLIP";
      case SIGMOID -> "SIGMOID";
      case HARD_SIGMOID -> "HARD_SIGMOID";
      case HARD_SWISH -> "HARD_SWISH";
      case SILU -> "SILU";
      case GELU -> "GELU";
      case TANH -> "TANH";
      case SOFTPLUS -> "SOFTPLUS";
      case MISH -> "MISH";
      case POWER -> "POWER";
    };
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return FilterBank.words(spec.kind());
  }

  @Override
  public Shape output(List<Shape> in) {
    return in.get(0);
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
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0));
  }

  @Override
  public boolean worksInPlace() {
    return true;
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().pointwise().elementwise(spec, o.first(), o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().pointwise().elementwiseBackward(spec, o.first(), dy, dx);
  }
}
