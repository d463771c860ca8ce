package dev.secateur.device.cuda;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Kernels that move elements; kernels/moves.cu. */
final class CudaMoves {
  private final CudaKernels kernels;

  CudaMoves(CudaKernels kernels) {
    this.kernels = kernels;
  }

  Kernel gather(Tensor x, int axis, Tensor indices, Tensor y) {
    Require.that(axis >= 0 && axis < x.shape().rank(), "axis outside of the shape", axis, x);
    Require.that(x.layout() == Layout.PLAIN && y.layout() == Layout.PLAIN, "must be PLAIN", x, y);
    Require.that(x.dtype() == y.dtype(), "x and y must have one type", x, y);
    Require.plain("indices", indices, DType.I32, 1);
    long count = indices.shape().dim(0);
    boolean fits = x.shape().with(axis, count).equals(y.shape());
    Require.that(fits, "y must be x with axis " + axis + " of " + count, x, y);
    long inner = 1;
    for (int i = axis + 1; i < x.shape().rank(); i++) {
      inner *= x.shape().dim(i);
    }
    return kernels
        .launch("gather_" + x.dtype().bytes())
        .arg(x)
        .arg(indices)
        .arg(y)
        .arg(y.elements())
        .arg(count)
        .arg(x.shape().dim(axis))
        .arg(inner)
        .over(y.elements());
  }

  Kernel concat(List<Tensor> inputs, Tensor y) {
    Require.that(!inputs.isEmpty(), "nothing to concatenate");
    Require.layer("y", y);
    List<Kernel> parts = new ArrayList<>();
    long channel = 0;
    for (Tensor x : inputs) {
      Require.layer("input", x);
      Require.alike("inputs and y", x, y);
      boolean fits = x.shape().with(1, 1).equals(y.shape().with(1, 1));
      Require.that(fits, "inputs and y must agree but in channels", x, y);
      long end = channel + x.shape().dim(1);
      Require.that(end <= y.shape().dim(1), "y has too few channels", y);
      parts.add(channels(x, 0, y, channel, x.shape().dim(1)));
      channel = end;
    }
    Require.that(channel == y.shape().dim(1), "y must have " + channel + " channels", y);
    return () -> parts.forEach(Kernel::launch);
  }

  Kernel sliceChannels(Tensor x, long from, Tensor y) {
    Require.layer("x", x);
    Require.layer("y", y);
    Require.alike("x and y", x, y);
    boolean fits =
        x.shape().with(1, 1).equals(y.shape().with(1, 1))
            && from >= 0
            && from + y.shape().dim(1) <= x.shape().dim(1);
    Require.that(fits, "y must be channels of x from " + from, x, y);
    return channels(x, from, y, 0, y.shape().dim(1));
  }

  private Kernel channels(Tensor x, long from, Tensor y, long to, long count) {
    long pixels = Require.pixels(x);
    long images = x.shape().dim(0);
    return kernels
        .launch("channels", x.dtype())
        .arg(x)
        .arg(x.shape().dim(1))
        .arg(from)
        .arg(y)
        .arg(y.shape().dim(1))
        .arg(to)
        .arg(count)
        .arg(images)
        .arg(pixels)
        .arg(Require.last(x))
        .over(images * count * pixels);
  }

  Kernel shortcut(Tensor x, int stride, long before, Tensor y) {
    return shortcut("shortcut", x, y, stride, before, x, y).over(y.elements());
  }

  Kernel shortcutBackward(Tensor dy, int stride, long before, Tensor dx) {
    return shortcut("shortcut_backward", dy, dx, stride, before, dx, dy).over(dx.elements());
  }

  private Launch.Builder shortcut(
      String name, Tensor from, Tensor to, int stride, long before, Tensor x, Tensor y) {
    Require.layer("x", x);
    Require.layer("y", y);
    Require.alike("x and y", x, y);
    Shape xs = x.shape();
    Shape ys = y.shape();
    boolean fits =
        xs.dim(0) == ys.dim(0)
            && (xs.dim(2) + stride - 1) / stride == ys.dim(2)
            && (xs.dim(3) + stride - 1) / stride == ys.dim(3)
            && before >= 0
            && before + xs.dim(1) <= ys.dim(1);
    Require.that(fits, "a shortcut by stride " + stride + " after " + before + " channels", x, y);
    return kernels
        .launch(name, x.dtype())
        .arg(from)
        .arg(to)
        .arg(xs.dim(0))
        .arg(xs.dim(1))
        .arg(xs.dim(2))
        .arg(xs.dim(3))
        .arg(ys.dim(1))
        .arg(ys.dim(2))
        .arg(ys.dim(3))
        .arg(before)
        .arg((long) stride)
        .arg(Require.last(x));
  }

  /**
   * What is moved down by top and right by left, with zeros around it; less than 0 crops.
   *
   * @param operands gives source and destination to the launch, each a tensor or scratch memory
   */
  Kernel pad(
      DType type,
      boolean last,
      UnaryOperator<Launch.Builder> operands,
      Shape from,
      Shape to,
      long top,
      long left) {
    return operands
        .apply(kernels.launch("pad", type))
        .arg(0f)
        .arg(from.dim(0))
        .arg(from.dim(1))
        .arg(from.dim(2))
        .arg(from.dim(3))
        .arg(to.dim(2))
        .arg(to.dim(3))
        .arg(top)
        .arg(left)
        .arg(last)
        .over(to.elements());
  }

  Kernel imageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    Require.plain("pixels", pixels, DType.U8, 4);
    Require.layer("y", y);
    Require.sameShape("pixels and y", pixels, y);
    Require.that(padding >= 0, "padding must not be negative", padding);
    Require.type("scale", scale, DType.F32);
    Require.type("shift", shift, DType.F32);
    Require.sameShape("scale and shift", scale, shift);
    Shape s = y.shape();
    boolean perPosition = scale.shape().rank() == 3;
    Shape expected = perPosition ? Shape.of(s.dim(1), s.dim(2), s.dim(3)) : Shape.of(s.dim(1));
    Require.that(scale.shape().equals(expected), "scale must be (C) or (C,H,W)", scale, y);
    if (crops.isPresent()) {
      Require.plain("crops", crops.get(), DType.I32, 2);
      Shape each = Shape.of(s.dim(0), 3);
      Require.that(crops.get().shape().equals(each), "crops must be " + each, crops.get());
    }
    return kernels
        .launch("image_input", y.dtype())
        .arg(pixels)
        .arg(crops)
        .arg(padding)
        .arg(scale)
        .arg(shift)
        .arg(perPosition)
        .arg(y)
        .arg(s.dim(0))
        .arg(s.dim(1))
        .arg(s.dim(2))
        .arg(s.dim(3))
        .arg(Require.last(y))
        .over(y.elements());
  }
}
