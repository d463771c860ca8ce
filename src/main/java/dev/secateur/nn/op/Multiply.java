package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalLong;

/** Product of two inputs of equal shape, or of (N,C,H,W) and a factor (N,C,1,1) a channel. */
public record Multiply() implements Op {
  static final OpType<Multiply> TYPE = OpType.plain("Multiply", Multiply.class, new Multiply());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "multiply";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    if (in.size() != 2 || !in.get(1).equals(x) && !in.get(1).equals(Fit.perChannel(x))) {
      throw new IllegalArgumentException("the second factor is neither alike nor (N,C,1,1)");
    }
    return x;
  }

  @Override
  public boolean couples() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.pass();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return wide.get(0).equals(wide.get(1)) ? OptionalLong.of(wide.get(0)) : OptionalLong.empty();
  }

  @Override
  public boolean worksInPlace() {
    return true;
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().pointwise().multiply(o.first(), o.x().get(1), o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    List<Tensor> x = o.x();
    boolean alike = x.get(0).shape().equals(x.get(1).shape());
    return input == 0 || alike
        ? o.device().pointwise().multiply(dy, x.get(1 - input), dx)
        : o.device().reductions().channelProducts(x.get(0), dy, dx);
  }
}
