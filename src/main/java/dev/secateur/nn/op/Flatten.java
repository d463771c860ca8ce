package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** (N,C,H,W) to (N, C*H*W) in NCHW order. */
public record Flatten() implements Op {
  static final OpType<Flatten> TYPE = OpType.plain("Flatten", Flatten.class, new Flatten());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "flatten";
  }

  @Override
  public Shape output(List<Shape> in) {
    return Shape.of(1, in.get(0).elements());
  }

  @Override
  public boolean passesChannels() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    int each = flow.width() / flow.width(0);
    for (int j = 0; j < flow.width(); j++) {
      flow.tie(flow.input(0) + j / each, flow.output() + j);
    }
  }

  @Override
  public OptionalDouble constant(double value) {
    return OptionalDouble.of(value);
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0) * out / in.get(0).dim(1));
  }

  @Override
  public boolean isView(Shape in) {
    return in.rank() == 2 || in.dim(2) * in.dim(3) == 1;
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().moves().copy(o.first(), Operands.plain(o.y(), o.first().shape()));
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().moves().copy(Operands.plain(dy, dx.shape()), dx);
  }
}
