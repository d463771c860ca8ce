package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Passes its input on; dropout in networks that are read from elsewhere. */
public record Identity() implements Op {
  static final OpType<Identity> TYPE = OpType.plain("Identity", Identity.class, new Identity());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "identity";
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
  public OptionalDouble constant(double value) {
    return OptionalDouble.of(value);
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0));
  }

  @Override
  public boolean isView(Shape in) {
    return true;
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().moves().copy(o.first(), o.y());
  }
}
