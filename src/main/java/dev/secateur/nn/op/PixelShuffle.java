package dev.secateur.nn.op;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Channels as pixels: (N, C r², H, W) to (N, C, H r, W r), y[c, h r + i, w r + j] = x[(c r + i) r +
 * j, h, w], or back. The r² channels of a pixel block are one group: a channel of the larger image
 * goes with all of them. As PyTorch's pixel_shuffle and ONNX's DepthToSpace in CRD mode.
 *
 * <p>On a device it is a grouped convolution by ones and zeros, plain or transposed.
 *
 * @param factor r
 * @param up whether the image becomes larger
 */
public record PixelShuffle(int factor, boolean up) implements Op {
  static final OpType<PixelShuffle> TYPE =
      new OpType<>(
          "PixelShuffle",
          PixelShuffle.class,
          (op, to) -> to.put("factor", op.factor).put("up", op.up),
          a -> new PixelShuffle(a.whole("factor"), a.flag("up")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return up ? "pixel shuffle" : "pixel unshuffle";
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    long r = Fit.positive(factor);
    boolean fits = up ? x.dim(1) % (r * r) == 0 : x.dim(2) % r == 0 && x.dim(3) % r == 0;
    if (!fits) {
      throw new IllegalArgumentException("not a multiple of " + r);
    }
    return up
        ? Shape.of(1, x.dim(1) / (r * r), x.dim(2) * r, x.dim(3) * r)
        : Shape.of(1, x.dim(1) * r * r, x.dim(2) / r, x.dim(3) / r);
  }

  @Override
  public void flow(ChannelFlow flow) {
    int each = factor * factor;
    for (int j = 0; j < (up ? flow.width(0) : flow.width()); j++) {
      flow.tie(flow.input(0) + (up ? j : j / each), flow.output() + (up ? j / each : j));
    }
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(Fit.up(out, multiple));
  }

  private ConvolutionSpec spec(Tensor large) {
    return new ConvolutionSpec(factor, factor, 0, 0, 0, 0, 1, 1, large.shape().size(1));
  }

  /** (C r², 1, r, r), a one in each filter. */
  private Tensor weights(Operands o, Tensor small) {
    int each = factor * factor;
    int filters = small.shape().size(1);
    float[] ones = new float[filters * each];
    for (int k = 0; k < filters; k++) {
      ones[k * each + k % each] = 1;
    }
    return o.filters(Shape.of(filters, 1, factor, factor), ones);
  }

  private Kernel spread(Operands o, Tensor small, Tensor large) {
    return o.device().convolutions().backwardData(spec(large), small, weights(o, small), large);
  }

  private Kernel gather(Operands o, Tensor large, Tensor small) {
    return o.device()
        .convolutions()
        .forward(spec(large), large, weights(o, small), Epilogue.NONE, small, false);
  }

  private Kernel move(Operands o, Tensor from, Tensor to, boolean larger) {
    return larger ? spread(o, from, to) : gather(o, from, to);
  }

  @Override
  public Kernel forward(Operands o) {
    return move(o, o.first(), o.y(), in(o), out(o), up);
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return move(o, dy, dx, out(o), in(o), !up);
  }

  private static long in(Operands o) {
    return o.channels().get(0);
  }

  private long out(Operands o) {
    long each = (long) factor * factor;
    return up ? in(o) / each : in(o) * each;
  }

  private Kernel move(
      Operands o, Tensor from, Tensor to, long ownFrom, long ownTo, boolean larger) {
    List<Kernel> all = new ArrayList<>();
    Tensor x = OwnChannels.of(o, from, ownFrom, all);
    Tensor y = OwnChannels.room(o, to, ownTo);
    all.add(move(o, x, y, larger));
    OwnChannels.back(o, y, to, all);
    return Kernel.each(all);
  }
}
