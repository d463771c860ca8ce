package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** A border of equal values around height and width; negative sizes crop. */
public record Pad(int top, int left, int bottom, int right, float value) implements Op {
  static final OpType<Pad> TYPE =
      new OpType<>(
          "Pad",
          Pad.class,
          (op, to) ->
              to.put("top", op.top)
                  .put("left", op.left)
                  .put("bottom", op.bottom)
                  .put("right", op.right)
                  .put("value", op.value),
          a ->
              new Pad(
                  a.whole("top"),
                  a.whole("left"),
                  a.whole("bottom"),
                  a.whole("right"),
                  a.number("value")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "pad";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    return Shape.of(
        1, x.dim(1), Fit.positive(x.dim(2) + top + bottom), Fit.positive(x.dim(3) + left + right));
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
  public OptionalDouble constant(double v) {
    return v == value ? OptionalDouble.of(v) : OptionalDouble.empty();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0));
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().moves().pad(o.first(), top, left, value, o.y());
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().moves().pad(dy, -top, -left, 0, dx);
  }
}
