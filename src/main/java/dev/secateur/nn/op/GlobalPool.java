package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Pooling over all of H and W to (N,C,1,1). */
public record GlobalPool(PoolSpec.Kind kind) implements Op {
  static final OpType<GlobalPool> TYPE =
      new OpType<>(
          "GlobalPool",
          GlobalPool.class,
          (op, to) -> to.put("kind", Pool.name(op.kind)),
          a -> new GlobalPool(a.choice("kind", PoolSpec.Kind.values(), Pool::name)));

  /** The same as a window over the whole of an input. */
  public PoolSpec window(Shape x) {
    return new PoolSpec(kind, x.size(2), x.size(3), 1, 1, 0, 0, 0, 0);
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "global " + FilterBank.words(kind) + " pool";
  }

  @Override
  public Shape output(List<Shape> in) {
    return Shape.of(1, in.get(0).dim(1), 1, 1);
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
  public Kernel forward(Operands o) {
    return o.device().pools().forward(window(o.first().shape()), o.first(), o.y());
  }

  @Override
  public void train(TrainingOperands t) {
    Pool.train(window(t.operands().first().shape()), t);
  }
}
