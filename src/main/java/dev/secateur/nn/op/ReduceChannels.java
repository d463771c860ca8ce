package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * (N,C,H,W) to (N,1,H,W): the largest of all channels, or their mean. A mean stays that of as many
 * channels as it was once, so that it is the same without those that are zero; what a maximum is
 * over stays.
 *
 * @param kind MAX or AVERAGE
 * @param of how many channels the mean is over, those that are gone among them
 */
public record ReduceChannels(PoolSpec.Kind kind, int of) implements Op {
  static final OpType<ReduceChannels> TYPE =
      new OpType<>(
          "ReduceChannels",
          ReduceChannels.class,
          (op, to) -> to.put("kind", Pool.name(op.kind)).put("of", op.of),
          a ->
              new ReduceChannels(
                  a.choice("kind", PoolSpec.Kind.values(), Pool::name), a.whole("of")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return FilterBank.words(kind) + " over channels";
  }

  @Override
  public Shape output(List<Shape> in) {
    Fit.positive(of);
    if (in.get(0).rank() != 4) {
      throw new IllegalArgumentException("reads an image");
    }
    return in.get(0).with(1, 1);
  }

  @Override
  public void flow(ChannelFlow flow) {
    if (kind == PoolSpec.Kind.MAX) {
      flow.fix();
    }
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  /** An image each of whose windows is the channels of a position, in the same memory. */
  private static Tensor lined(Operands o, Tensor x, long channels) {
    Shape s = x.shape();
    boolean last = x.layout() == Layout.CHANNELS_LAST;
    Shape line =
        last
            ? Shape.of(s.dim(0) * s.dim(2) * s.dim(3), 1, 1, channels)
            : Shape.of(s.dim(0), 1, channels, s.dim(2) * s.dim(3));
    return new Tensor(x.buffer(), x.byteOffset(), line, x.dtype(), o.device().activationLayout());
  }

  private PoolSpec window(Tensor x) {
    int c = x.shape().size(1);
    boolean last = x.layout() == Layout.CHANNELS_LAST;
    return new PoolSpec(kind, last ? 1 : c, last ? c : 1, 1, 1, 0, 0, 0, 0);
  }

  /** y = t times the part that is left of the channels that a mean is over. */
  private Kernel scaled(Operands o, Tensor t, Tensor y) {
    Tensor scale = o.filled(1, (float) o.channels().get(0) / of, DType.F32);
    return o.scaled(t, scale, o.filled(1, 0, DType.F32), y);
  }

  private boolean whole(Operands o) {
    return kind == PoolSpec.Kind.MAX || o.channels().get(0) == of;
  }

  @Override
  public Kernel forward(Operands o) {
    List<Kernel> all = new ArrayList<>();
    Tensor x = OwnChannels.of(o, o.first(), o.channels().get(0), all);
    Tensor y = OwnChannels.room(o, o.y(), 1);
    all.add(o.device().pools().forward(window(x), lined(o, x, x.shape().dim(1)), lined(o, y, 1)));
    end(o, y, all);
    return Kernel.each(all);
  }

  /** What is behind the pooling. */
  private void end(Operands o, Tensor y, List<Kernel> all) {
    if (!whole(o)) {
      all.add(scaled(o, y, y));
    }
    OwnChannels.back(o, y, o.y(), all);
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    List<Kernel> forward = new ArrayList<>();
    List<Kernel> backward = new ArrayList<>();
    Tensor x = OwnChannels.of(o, o.first(), o.channels().get(0), forward);
    Tensor y = OwnChannels.room(o, o.y(), 1);
    Tensor dy = OwnChannels.of(o, t.dy(), 1, backward);
    if (!whole(o)) {
      Tensor through = o.like(dy);
      backward.add(scaled(o, dy, through));
      dy = through;
    }
    Tensor wide = t.gradient(0);
    Tensor dx = OwnChannels.room(o, wide, o.channels().get(0));
    TrainingKernels k =
        o.device()
            .pools()
            .training(
                window(x),
                lined(o, x, x.shape().dim(1)),
                lined(o, y, 1),
                lined(o, dy, 1),
                lined(o, dx, x.shape().dim(1)),
                o.arena());
    forward.add(k.forward());
    end(o, y, forward);
    backward.add(k.backward());
    OwnChannels.back(o, dx, wide, backward);
    t.forward(Kernel.each(forward));
    t.backward(Kernel.each(backward));
    t.contribute(0);
  }
}
