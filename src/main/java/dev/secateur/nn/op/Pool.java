package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Pooling by a window. */
public record Pool(PoolSpec spec) implements Op {
  static final OpType<Pool> TYPE =
      new OpType<>(
          "Pool",
          Pool.class,
          (op, to) -> to.object("spec", s -> write(op.spec, s)),
          a -> new Pool(a.object("spec", Pool::read)));

  private static void write(PoolSpec s, AttributeWriter to) {
    to.put("kind", name(s.kind()));
    to.put("kernelH", s.kernelH()).put("kernelW", s.kernelW());
    to.put("strideH", s.strideH()).put("strideW", s.strideW());
    to.put("padTop", s.padTop()).put("padLeft", s.padLeft());
    to.put("padBottom", s.padBottom()).put("padRight", s.padRight());
    if (s.dilated()) {
      to.put("dilationH", s.dilationH()).put("dilationW", s.dilationW());
    }
  }

  private static PoolSpec read(AttributeReader a) {
    return new PoolSpec(
        a.choice("kind", PoolSpec.Kind.values(), Pool::name),
        a.whole("kernelH"),
        a.whole("kernelW"),
        a.whole("strideH"),
        a.whole("strideW"),
        a.whole("padTop"),
        a.whole("padLeft"),
        a.whole("padBottom"),
        a.whole("padRight"),
        a.whole("dilationH", 1),
        a.whole("dilationW", 1));
  }

  static String name(PoolSpec.Kind k) {
    return switch (k) {
      case MAX -> "MAX";
      case AVERAGE -> "AVERAGE";
      case AVERAGE_INCLUDE_PADDING -> "AVERAGE_INCLUDE_PADDING";
    };
  }

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return FilterBank.words(spec.kind())
        + " pool "
        + spec.kernelH()
        + "x"
        + spec.kernelW()
        + "/"
        + spec.strideH()
        + (spec.dilated() ? " dilated" : "");
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    Fit.positive(Math.min(spec.strideH(), spec.strideW()));
    Fit.positive(Math.min(spec.dilationH(), spec.dilationW()));
    return Shape.of(1, x.dim(1), spec.outHeight(x.dim(2)), spec.outWidth(x.dim(3)));
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
    return value == 0 || spec.kind() == PoolSpec.Kind.MAX
        ? OptionalDouble.of(value)
        : OptionalDouble.empty();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(wide.get(0));
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().pools().forward(spec, o.first(), o.y());
  }

  @Override
  public void train(TrainingOperands t) {
    train(spec, t);
  }

  static void train(PoolSpec spec, TrainingOperands t) {
    Operands o = t.operands();
    TrainingKernels k =
        o.device().pools().training(spec, o.first(), o.y(), t.dy(), t.gradient(0), o.arena());
    t.forward(k.forward());
    t.backward(k.backward());
    t.contribute(0);
  }
}
