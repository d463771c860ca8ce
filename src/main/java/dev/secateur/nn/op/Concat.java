package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalLong;

/** Inputs side by side along C. */
public record Concat() implements Op {
  static final OpType<Concat> TYPE = OpType.plain("Concat", Concat.class, new Concat());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "concat";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    long c = 0;
    for (Shape s : in) {
      if (!s.with(1, 1).equals(x.with(1, 1))) {
        throw new IllegalArgumentException("parts differ beside their channels");
      }
      c += s.dim(1);
    }
    return x.with(1, c);
  }

  @Override
  public void flow(ChannelFlow flow) {
    int y = flow.output();
    for (int i = 0; i < flow.inputs(); i++) {
      flow.tie(flow.input(i), y, flow.width(i));
      y += flow.width(i);
    }
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device()
        .moves()
        .concat(o.x().stream().map(o::image).toList(), o.channels(), o.image(o.y()));
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    long channel = 0;
    for (long before : o.channels().subList(0, input)) {
      channel += before;
    }
    return o.device()
        .moves()
        .sliceChannels(o.image(dy), channel, o.channels().get(input), o.image(dx));
  }
}
