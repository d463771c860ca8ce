package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** (N, C*H*W) in NCHW order to (N,C,H,W): how a linear layer's features become an image. */
public record Unflatten(int height, int width) implements Op {
  static final OpType<Unflatten> TYPE =
      new OpType<>(
          "Unflatten",
          Unflatten.class,
          (op, to) -> to.put("height", op.height).put("width", op.width),
          a -> new Unflatten(a.whole("height"), a.whole("width")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "unflatten";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    long pixels = Fit.positive(height) * Fit.positive(width);
    if (x.rank() != 2 || x.dim(1) % pixels != 0) {
      throw new IllegalArgumentException("reads features, a multiple of " + pixels);
    }
    return Shape.of(1, x.dim(1) / pixels, height, width);
  }

  @Override
  public void flow(ChannelFlow flow) {
    int each = height * width;
    for (int j = 0; j < flow.width(0); j++) {
      flow.tie(flow.input(0) + j, flow.output() + j / each);
    }
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(height * width == 1 ? wide.get(0) : Fit.up(out, multiple));
  }

  @Override
  public boolean isView(Shape in) {
    return height * width == 1;
  }

  private long own(Operands o) {
    return o.channels().get(0) / ((long) height * width);
  }

  @Override
  public Kernel forward(Operands o) {
    List<Kernel> all = new ArrayList<>();
    Tensor x = OwnChannels.of(o, o.first(), o.channels().get(0), all);
    Tensor y = OwnChannels.room(o, o.y(), own(o));
    all.add(o.device().moves().copy(Operands.plain(x, y.shape()), y));
    OwnChannels.back(o, y, o.y(), all);
    return Kernel.each(all);
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    List<Kernel> all = new ArrayList<>();
    Tensor from = OwnChannels.of(o, dy, own(o), all);
    Tensor to = OwnChannels.room(o, dx, o.channels().get(0));
    all.add(o.device().moves().copy(from, Operands.plain(to, from.shape())));
    OwnChannels.back(o, to, dx, all);
    return Kernel.each(all);
  }
}
