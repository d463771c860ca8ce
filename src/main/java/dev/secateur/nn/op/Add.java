package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalLong;

/** Element-wise sum of two inputs. */
public record Add() implements Op {
  static final OpType<Add> TYPE = OpType.plain("Add", Add.class, new Add());

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "add";
  }

  @Override
  public Shape output(List<Shape> in) {
    if (in.size() != 2 || !in.get(0).equals(in.get(1))) {
      throw new IllegalArgumentException("addends differ");
    }
    return in.get(0);
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
  public Kernel forward(Operands o) {
    return forward(o, Activation.NONE);
  }

  private static Kernel forward(Operands o, Activation activation) {
    return o.device().pointwise().add(o.first(), o.x().get(1), activation, o.y());
  }

  @Override
  public void train(TrainingOperands t) {
    t.forward(forward(t.operands(), t.fused()));
    t.passOn(t.fused());
  }
}
