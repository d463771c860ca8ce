package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Moves;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Elements moved; kernels/moves.cu, layers.inc and vision.inc. */
final class CudaMoves implements Moves {
  private final Contract contract;
  private final CudaContext context;
  private final CudaKernels kernels;

  CudaMoves(Contract contract, CudaContext context, CudaKernels kernels) {
    this.contract = contract;
    this.context = context;
    this.kernels = kernels;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileGather(Tensor x, int axis, Tensor indices, Tensor y) {
    long count = indices.shape().dim(0);
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

  @Override
  public Kernel compileConcat(List<Tensor> inputs, List<Long> channels, Tensor y) {
    List<Kernel> parts = new ArrayList<>();
    long to = 0;
    for (int i = 0; i < inputs.size(); i++) {
      long count = channels.get(i);
      boolean last = i == inputs.size() - 1;
      parts.add(channels(inputs.get(i), 0, count, y, to, last ? y.shape().dim(1) - to : count));
      to += count;
    }
    return Kernel.each(parts);
  }

  @Override
  public Kernel compileSliceChannels(Tensor x, long from, long channels, Tensor y) {
    return channels(x, from, channels, y, 0, y.shape().dim(1));
  }

  /**
   * @param count channels that are copied
   * @param written channels of y, zeros behind those
   */
  private Kernel channels(Tensor x, long from, long count, Tensor y, long to, long written) {
    long inner = Order.inner(x);
    long rows = x.elements() / x.shape().dim(1) / inner;
    return kernels
        .launch("channels", x.dtype())
        .arg(x)
        .arg(x.shape().dim(1) * inner)
        .arg(from * inner)
        .arg(count * inner)
        .arg(y)
        .arg(y.shape().dim(1) * inner)
        .arg(to * inner)
        .arg(written * inner)
        .arg(rows)
        .over(rows * Launch.packs(written * inner, x.dtype()));
  }

  @Override
  public Kernel compileShortcut(Tensor x, int stride, long before, long channels, Tensor y) {
    return shortcut("shortcut", x, y, stride, before, channels, x, y).over(y);
  }

  @Override
  public Kernel compileShortcutBackward(
      Tensor dy, int stride, long before, long channels, Tensor dx) {
    return shortcut("shortcut_backward", dy, dx, stride, before, channels, dx, dy).over(dx);
  }

  private Launch.Builder shortcut(
      String name,
      Tensor from,
      Tensor to,
      int stride,
      long before,
      long channels,
      Tensor x,
      Tensor y) {
    Shape xs = x.shape();
    Shape ys = y.shape();
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
        .arg(channels)
        .arg((long) stride)
        .arg(Order.last(x));
  }

  /**
   * What is moved down by top and right by left, with zeros around it; less than 0 crops.
   *
   * @param operands gives source and destination to the launch, each a tensor or scratch memory
   */
  Kernel moved(
      DType type,
      boolean last,
      UnaryOperator<Launch.Builder> operands,
      Shape from,
      Shape to,
      long top,
      long left) {
    return moved(
        operands.apply(kernels.launch("pad", type)).arg(0f), type, last, from, to, top, left);
  }

  private static Kernel moved(
      Launch.Builder b, DType type, boolean last, Shape from, Shape to, long top, long left) {
    long rows = last ? from.dim(0) : from.dim(0) * from.dim(1);
    long inner = last ? from.dim(1) : 1;
    return b.arg(rows)
        .arg(inner)
        .arg(from.dim(2))
        .arg(from.dim(3))
        .arg(to.dim(2))
        .arg(to.dim(3))
        .arg(top)
        .arg(left)
        .over(rows * to.dim(2) * Launch.packs(to.dim(3) * inner, type));
  }

  @Override
  public Kernel compileImageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    Shape s = y.shape();
    boolean perPosition = scale.shape().rank() == 3;
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
        .arg(pixels.shape().dim(1))
        .arg(s.dim(1))
        .arg(s.dim(2))
        .arg(s.dim(3))
        .arg(Order.last(y))
        .over(s.dim(0) * s.dim(2) * s.dim(3));
  }

  @Override
  public Kernel compileMixImages(Tensor x, Tensor plan, Tensor blends, Tensor y) {
    Shape s = y.shape();
    return kernels
        .launch("mix_images", y.dtype())
        .arg(x)
        .arg(plan)
        .arg(blends)
        .arg(y)
        .arg(s.dim(0))
        .arg(s.dim(1))
        .arg(s.dim(2))
        .arg(s.dim(3))
        .arg(Order.last(y))
        .over(y.elements());
  }

  @Override
  public Kernel compileCopy(Tensor src, Tensor dst) {
    boolean sameOrder = src.layout() == dst.layout();
    if (sameOrder && src.dtype() == dst.dtype()) {
      DevicePointer from = CudaBuffer.pointer(src);
      DevicePointer to = CudaBuffer.pointer(dst);
      long bytes = src.bytes();
      return context.kernel(
          List.of(src, dst),
          () ->
              Status.driver(
                  cuMemcpyDtoDAsync(to, from, bytes, context.stream()),
                  "copying on the GPU (cuMemcpyDtoDAsync)"));
    }
    return kernels
        .launch("copy")
        .arg(src)
        .arg(src.dtype().ordinal())
        .arg(Order.last(src))
        .arg(dst)
        .arg(dst.dtype().ordinal())
        .arg(Order.last(dst))
        .arg(src.elements())
        .arg(sameOrder ? 1 : src.shape().dim(1))
        .arg(sameOrder ? 1 : Order.pixels(src))
        .over(src.elements());
  }

  /** Scratch memory from {@code offset} on = t in F32, PLAIN. */
  Kernel toScratch(Tensor t, long offset) {
    return kernels
        .launch("copy")
        .arg(t)
        .arg(t.dtype().ordinal())
        .arg(Order.last(t))
        .workspace(offset)
        .arg(DType.F32.ordinal())
        .arg(false)
        .arg(t.elements())
        .arg(t.shape().dim(1))
        .arg(Order.pixels(t))
        .over(t.elements());
  }

  /** t = scratch memory in F32, PLAIN, from {@code offset} on. */
  Kernel fromScratch(long offset, Tensor t) {
    return kernels
        .launch("copy")
        .workspace(offset)
        .arg(DType.F32.ordinal())
        .arg(false)
        .arg(t)
        .arg(t.dtype().ordinal())
        .arg(Order.last(t))
        .arg(t.elements())
        .arg(t.shape().dim(1))
        .arg(Order.pixels(t))
        .over(t.elements());
  }

  @Override
  public Kernel fill(Tensor x, double value) {
    DevicePointer p = CudaBuffer.pointer(x);
    long n = x.elements();
    return switch (x.dtype()) {
      case F64 -> kernels.launch("fill_f64").arg(x).arg(value).arg(n).over(n);
      case F32 -> fill(x, p, Float.floatToRawIntBits((float) value));
      case I32 -> fill(x, p, (int) value);
      case F16, BF16 -> {
        short bits = Halves.narrow((float) value, x.dtype());
        yield context.kernel(
            List.of(x),
            () ->
                Status.driver(cuMemsetD16Async(p, bits, n, context.stream()), "cuMemsetD16Async"));
      }
      case U8 ->
          context.kernel(
              List.of(x),
              () ->
                  Status.driver(
                      cuMemsetD8Async(p, (byte) (int) value, n, context.stream()),
                      "clearing memory of the GPU (cuMemsetD8Async)"));
    };
  }

  private Kernel fill(Tensor x, DevicePointer p, int bits) {
    long n = x.elements();
    return context.kernel(
        List.of(x),
        () -> Status.driver(cuMemsetD32Async(p, bits, n, context.stream()), "cuMemsetD32Async"));
  }

  @Override
  public Kernel compileSelectChannels(Tensor x, Tensor channels, Tensor y) {
    long count = channels.elements();
    return kernels
        .launch("gather_" + x.dtype().bytes())
        .arg(x)
        .arg(channels)
        .arg(y)
        .arg(y.elements())
        .arg(count)
        .arg(x.shape().dim(1))
        .arg(Order.inner(x))
        .over(y.elements());
  }

  @Override
  public Kernel compilePad(Tensor x, int top, int left, float value, Tensor y) {
    return moved(
        kernels.launch("pad", x.dtype()).arg(x).arg(y).arg(value),
        x.dtype(),
        Order.last(x),
        x.shape(),
        y.shape(),
        top,
        left);
  }

  @Override
  public Kernel compileResize(ResizeSpec spec, Tensor x, Tensor y) {
    return resize("resize", spec, x, y, x, y);
  }

  @Override
  public Kernel compileResizeBackward(ResizeSpec spec, Tensor dy, Tensor dx) {
    return resize("resize_backward", spec, dy, dx, dx, dy);
  }

  private Kernel resize(String name, ResizeSpec spec, Tensor from, Tensor to, Tensor x, Tensor y) {
    Launch.Builder b = sizes(kernels.launch(name, from.dtype()).arg(from).arg(to), x, y);
    for (int axis = 2; axis < 4; axis++) {
      ResizeSpec.Axis a = spec.axis(x.shape().dim(axis), y.shape().dim(axis));
      b.arg(a.step()).arg(a.offset()).arg(a.divisor());
    }
    return b.arg(spec.mode() == ResizeSpec.Mode.BILINEAR).arg(Order.last(x)).over(to.elements());
  }

  private static Launch.Builder sizes(Launch.Builder b, Tensor x, Tensor y) {
    Shape s = x.shape();
    return b.arg(s.dim(0))
        .arg(s.dim(1))
        .arg(s.dim(2))
        .arg(s.dim(3))
        .arg(y.shape().dim(2))
        .arg(y.shape().dim(3));
  }
}
