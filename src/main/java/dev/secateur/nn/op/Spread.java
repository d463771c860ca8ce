package dev.secateur.nn.op;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/**
 * (N,1,H,W) to (N,C,H,W), the same in every channel: how a gate of one channel meets an image. Its
 * channels are coupled with nothing in front of it.
 */
public record Spread(int channels) implements Op {
  static final OpType<Spread> TYPE =
      new OpType<>(
          "Spread",
          Spread.class,
          (op, to) -> to.put("channels", op.channels),
          a -> new Spread(a.whole("channels")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "spread";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    if (x.rank() != 4 || x.dim(1) != 1) {
      throw new IllegalArgumentException("reads an image of one channel");
    }
    return x.with(1, Fit.positive(channels));
  }

  @Override
  public void flow(ChannelFlow flow) {
    // what it puts out is the gate's one channel, however many there are
  }

  @Override
  public Spread resized(int before, int in, int out) {
    return new Spread(out);
  }

  @Override
  public Spread widened(int before, int in, int out) {
    return this; // additional channels hold nothing of the gate
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  @Override
  public Kernel forward(Operands o) {
    int[] from = new int[o.y().shape().size(1)];
    Arrays.fill(from, channels, from.length, -1);
    Tensor list = o.arena().allocate(Shape.of(from.length), DType.I32, Layout.PLAIN);
    o.device().upload(from, list);
    return o.device().moves().selectChannels(o.first(), list, o.y());
  }

  /** The sum over channels, as a convolution by ones. */
  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    Shape shape = Shape.of(dx.shape().dim(1), dy.shape().dim(1), 1, 1);
    float[] sum = new float[(int) shape.elements()];
    Arrays.fill(sum, 0, channels, 1);
    Tensor ones = o.filters(shape, sum);
    return o.device()
        .convolutions()
        .forward(ConvolutionSpec.of(1, 0), dy, ones, Epilogue.NONE, dx, false);
  }
}
