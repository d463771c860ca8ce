package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Elements moved: copies, choices of channels, borders, resampling, the network's input. */
public interface Moves extends Operations {

  /**
   * Copies elements, converting layout and dtype (F32/F64/U8 to F32/F64, and from and to a 16-bit
   * activation type). Shapes equal.
   */
  default Kernel copy(Tensor src, Tensor dst) {
    Contract.sameShape("src and dst", src, dst);
    DType type = contract().type();
    boolean from = src.dtype() == DType.U8 || src.dtype() == DType.F32 || src.dtype() == DType.F64;
    that(from || src.dtype() == type, "src must be U8, F32, F64 or " + type, src);
    boolean to = dst.dtype() == DType.F32 || dst.dtype() == DType.F64;
    that(to || dst.dtype() == type, "dst must be F32, F64 or " + type, dst);
    return compileCopy(src, dst);
  }

  Kernel compileCopy(Tensor src, Tensor dst);

  /** x = value everywhere, of any shape and type. */
  Kernel fill(Tensor x, double value);

  /**
   * y = x with axis {@code axis} reduced to the listed indices (I32, ascending, below the axis'
   * length: who makes the list sees to that); PLAIN, of any type.
   */
  default Kernel gather(Tensor x, int axis, Tensor indices, Tensor y) {
    that(axis >= 0 && axis < x.shape().rank(), "the axis must be one of x", axis, x);
    boolean plain = x.layout() == Layout.PLAIN && y.layout() == Layout.PLAIN;
    that(plain, "x and y must be PLAIN", x, y);
    Contract.sameType("x and y", x, y);
    Contract.plain("indices", indices, DType.I32, 1);
    Contract.shape("y", y, x.shape().with(axis, indices.elements()));
    return compileGather(x, axis, indices, y);
  }

  Kernel compileGather(Tensor x, int axis, Tensor indices, Tensor y);

  /**
   * y = the inputs' first channels side by side along C, and zeros behind them; all (N,C,H,W).
   *
   * @param channels how many of each input
   */
  default Kernel concat(List<Tensor> inputs, List<Long> channels, Tensor y) {
    that(!inputs.isEmpty(), "there must be something to concatenate");
    that(inputs.size() == channels.size(), "every input must have its channels", channels);
    contract().image("y", y);
    long all = 0;
    for (int i = 0; i < inputs.size(); i++) {
      Tensor x = inputs.get(i);
      contract().image("input", x);
      contract().alikeButChannels("inputs and y", x, y);
      Contract.firstChannels("input", x, channels.get(i));
      all += channels.get(i);
    }
    Contract.firstChannels("y", y, all);
    return compileConcat(inputs, channels, y);
  }

  Kernel compileConcat(List<Tensor> inputs, List<Long> channels, Tensor y);

  /**
   * y[:, : channels] = x[:, from : from + channels] of (N,C,H,W), the backward of concat; other
   * channels of y are 0.
   */
  default Kernel sliceChannels(Tensor x, long from, long channels, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    contract().alikeButChannels("x and y", x, y);
    that(from >= 0, "the first channel must not be negative", from);
    Contract.firstChannels("x", x, from + channels);
    Contract.firstChannels("y", y, channels);
    return compileSliceChannels(x, from, channels, y);
  }

  Kernel compileSliceChannels(Tensor x, long from, long channels, Tensor y);

  /**
   * y[:, j] = x[:, channels[j]] of (N,C,H,W) or (N,C), 0 where the index is no channel of x.
   *
   * @param channels I32 (channels of y), in any order, repeats allowed; read at the launch
   */
  default Kernel selectChannels(Tensor x, Tensor channels, Tensor y) {
    contract().channels("x", x);
    contract().channels("y", y);
    Contract.sameType("x and y", x, y);
    Contract.plain("channels", channels, DType.I32, 1);
    Contract.shape("y", y, x.shape().with(1, channels.elements()));
    return compileSelectChannels(x, channels, y);
  }

  Kernel compileSelectChannels(Tensor x, Tensor channels, Tensor y);

  /**
   * The option-A shortcut of CIFAR ResNets: y[:, before : before + channels] = x[:, : channels,
   * ::stride, ::stride], other channels 0.
   */
  default Kernel shortcut(Tensor x, int stride, long before, long channels, Tensor y) {
    checkShortcut(x, stride, before, channels, y);
    return compileShortcut(x, stride, before, channels, y);
  }

  Kernel compileShortcut(Tensor x, int stride, long before, long channels, Tensor y);

  /** The gradient of {@link #shortcut}: dx is overwritten. */
  default Kernel shortcutBackward(Tensor dy, int stride, long before, long channels, Tensor dx) {
    checkShortcut(dx, stride, before, channels, dy);
    return compileShortcutBackward(dy, stride, before, channels, dx);
  }

  Kernel compileShortcutBackward(Tensor dy, int stride, long before, long channels, Tensor dx);

  private void checkShortcut(Tensor x, int stride, long before, long channels, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    that(stride > 0, "stride must be positive", stride);
    Contract.firstChannels("x", x, channels);
    Shape xs = x.shape();
    Shape ys = y.shape();
    boolean fits =
        xs.dim(0) == ys.dim(0)
            && (xs.dim(2) + stride - 1) / stride == ys.dim(2)
            && (xs.dim(3) + stride - 1) / stride == ys.dim(3)
            && before >= 0
            && before + channels <= ys.dim(1);
    that(fits, "y must be x by stride " + stride + " behind " + before + " channels", x, y);
  }

  /**
   * y[:, :, h, w] = x[:, :, h - top, w - left], {@code value} where that lies outside of x. The
   * backward is a pad of dy by (-top, -left) with zeros.
   */
  default Kernel pad(Tensor x, int top, int left, float value, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    contract().alikeButSize("x and y", x, y);
    return compilePad(x, top, left, value, y);
  }

  Kernel compilePad(Tensor x, int top, int left, float value, Tensor y);

  /** Resampling of (N,C,H,W); the extents of y are the specification's. */
  default Kernel resize(ResizeSpec spec, Tensor x, Tensor y) {
    checkResize(spec, x, y);
    return compileResize(spec, x, y);
  }

  Kernel compileResize(ResizeSpec spec, Tensor x, Tensor y);

  /** The gradient of {@link #resize}: its transpose. */
  default Kernel resizeBackward(ResizeSpec spec, Tensor dy, Tensor dx) {
    checkResize(spec, dx, dy);
    return compileResizeBackward(spec, dy, dx);
  }

  Kernel compileResizeBackward(ResizeSpec spec, Tensor dy, Tensor dx);

  private void checkResize(ResizeSpec spec, Tensor x, Tensor y) {
    contract().image("x", x);
    contract().image("y", y);
    contract().alikeButSize("x and y", x, y);
    boolean fits = y.shape().dim(2) == spec.height() && y.shape().dim(3) == spec.width();
    that(fits, "y must be " + spec.height() + "x" + spec.width(), y);
  }

  /**
   * The network's input from pixels: y = (augmented x) * scale + shift.
   *
   * @param pixels U8 (N,C,H,W) PLAIN
   * @param crops I32 (N,3): row and column in [0, 2 padding] where the crop of H x W begins in the
   *     image padded with zero pixels, and 1 to flip left-right; empty for none
   * @param scale F32 (C) or (C,H,W), as shift; applied after augmentation, position by position
   * @param y (N,D,H,W), an activation; channels from C on are 0
   */
  default Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    Contract.plain("pixels", pixels, DType.U8, 4);
    contract().image("y", y);
    contract().alikeButChannels("pixels and y", pixels, y);
    Contract.firstChannels("y", y, pixels.shape().dim(1));
    that(padding >= 0, "padding must not be negative", padding);
    Contract.type("scale", scale, DType.F32);
    Contract.type("shift", shift, DType.F32);
    Contract.sameShape("scale and shift", scale, shift);
    Shape s = pixels.shape();
    Shape each = Shape.of(s.dim(1), s.dim(2), s.dim(3));
    boolean fits = scale.shape().equals(each) || scale.shape().equals(Shape.of(s.dim(1)));
    that(fits, "scale must be (C) or (C,H,W)", scale, pixels);
    crops.ifPresent(
        c -> {
          Contract.plain("crops", c, DType.I32, 2);
          Contract.shape("crops", c, Shape.of(s.dim(0), 3));
        });
    return compileImageInput(pixels, crops, padding, scale, shift, y);
  }

  Kernel compileImageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y);

  /** Numbers that {@link #mixImages} has for an image. */
  int MIX_PLAN = 9;

  /**
   * Images mixed with others of the batch (Zhang et al. 2018, Yun et al. 2019) and erased in part
   * (Zhong et al. 2020): y[n] is blend x[n] + (1 - blend) x[partner], and in a box x[partner];
   * before that every image is 0 in a box of its own.
   *
   * @param x (N,C,H,W), an activation
   * @param plan I32 (N,9): partner, from 0 to N - 1; top, left, bottom and right of the partner's
   *     box; those of the erased box. What is to be in no box has bottom 0
   * @param blends F32 (N), from 0 to 1
   * @param y as x
   */
  default Kernel mixImages(Tensor x, Tensor plan, Tensor blends, Tensor y) {
    contract().image("x", x);
    contract().alike("x and y", x, y);
    Contract.plain("plan", plan, DType.I32, 2);
    Contract.shape("plan", plan, Shape.of(x.shape().dim(0), MIX_PLAN));
    Contract.vector("blends", blends, DType.F32, x.shape().dim(0));
    return compileMixImages(x, plan, blends, y);
  }

  Kernel compileMixImages(Tensor x, Tensor plan, Tensor blends, Tensor y);
}
