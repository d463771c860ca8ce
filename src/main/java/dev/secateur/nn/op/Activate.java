package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** An activation that can be computed with what is before it. */
public record Activate(Activation activation) implements Op {
  static final OpType<Activate> TYPE =
      new OpType<>(
          "Activate",
          Activate.class,
          (op, to) -> to.put("activation", name(op.activation)),
          a -> new Activate(a.choice("activation", Activation.values(), Activate::name)));

  private static String name(Activation a) {
    return switch (a) {
      case NONE -> "NONE";
      case RELU -> "RELU";
      case RELU6 -> "RELU6";
    };
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return FilterBank.words(activation);
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
    return OptionalDouble.of(
        switch (activation) {
          case NONE -> value;
          case RELU -> Math.max(0, value);
          case RELU6 -> Math.min(6, Math.max(0, value));
        });
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
    return o.device().pointwise().activation(activation, o.first(), o.y());
  }

  @Override
  public void train(TrainingOperands t) {
    t.forward(forward(t.operands()));
    t.passOn(activation);
  }
}
