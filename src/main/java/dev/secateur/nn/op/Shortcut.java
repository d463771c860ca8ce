package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * Option-A shortcut (He et al. 2016): subsampling by stride, zero channels before and after, which
 * nothing is coupled with.
 */
public record Shortcut(int stride, int before, int after) implements Op {
  static final OpType<Shortcut> TYPE =
      new OpType<>(
          "Shortcut",
          Shortcut.class,
          (op, to) -> to.put("stride", op.stride).put("before", op.before).put("after", op.after),
          a -> new Shortcut(a.whole("stride"), a.whole("before"), a.whole("after")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "shortcut";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    return Shape.of(
        1,
        before + x.dim(1) + after,
        (x.dim(2) + stride - 1) / stride,
        (x.dim(3) + stride - 1) / stride);
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.tie(flow.input(0), flow.output() + before, flow.width(0));
  }

  @Override
  public Shortcut kept(KeptChannels kept) {
    int end = before + kept.before(0);
    int front = (int) IntStream.of(kept.out()).filter(c -> c < before).count();
    int back = (int) IntStream.of(kept.out()).filter(c -> c >= end).count();
    return new Shortcut(stride, front, back);
  }

  /** The zeros lie evenly on both sides. */
  @Override
  public Shortcut typical(int had, int in, int out) {
    int front = (out - in) / 2;
    return new Shortcut(stride, front, out - in - front);
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().moves().shortcut(o.first(), stride, before, o.channels().get(0), o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().moves().shortcutBackward(dy, stride, before, o.channels().get(0), dx);
  }
}
