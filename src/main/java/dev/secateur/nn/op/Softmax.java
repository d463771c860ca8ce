package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalLong;

/** Softmax over the channels (or features), which stay: a zero counts in its sums. */
public record Softmax() implements Op {
  static final OpType<Softmax> TYPE = OpType.plain("Softmax", Softmax.class, new Softmax());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "softmax";
  }

  @Override
  public Shape output(List<Shape> in) {
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

  @Override
  public Kernel forward(Operands o) {
    return o.device().norms().softmax(o.first(), o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().norms().softmaxBackward(o.y(), dy, dx);
  }
}
