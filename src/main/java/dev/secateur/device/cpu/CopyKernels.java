package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** Kernels that only move elements. */
final class CopyKernels {
  private final Dnnl dnnl;

  CopyKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel copy(Tensor src, Tensor dst) {
    Check.sameShape("copy", src, dst);
    Check.that(
        src.dtype() != DType.I32 && (dst.dtype() == DType.F32 || dst.dtype() == DType.F64),
        "cannot copy " + src + " to " + dst);
    if (src.dtype() != DType.F64 && dst.dtype() == DType.F32) {
      Desc from = Desc.of(src);
      Desc to = Desc.of(dst);
      return dnnl.reorder(from, dnnl.memory(from, src), to, dnnl.memory(to, dst));
    }
    return doubleCopy(src, dst); // oneDNN has no doubles on the CPU
  }

  private static Kernel doubleCopy(Tensor src, Tensor dst) {
    Reader reader = reader(src);
    Writer writer = writer(dst);
    CpuBuffer from = (CpuBuffer) src.buffer();
    CpuBuffer to = (CpuBuffer) dst.buffer();
    int n = Math.toIntExact(src.elements());
    if (Desc.of(src).tag() == Desc.of(dst).tag()) {
      return () -> {
        from.requireOpen();
        to.requireOpen();
        for (int i = 0; i < n; i++) {
          writer.put(i, reader.get(i));
        }
      };
    }
    boolean toLast = Desc.channelsLast(dst);
    int c = dst.shape().size(1);
    int area = dst.shape().size(2) * dst.shape().size(3);
    return () -> {
      from.requireOpen();
      to.requireOpen();
      for (int i = 0; i < n; i++) {
        int image = i / (c * area);
        int rest = i % (c * area);
        int last = (image * area + rest % area) * c + rest / area;
        if (toLast) {
          writer.put(last, reader.get(i));
        } else {
          writer.put(i, reader.get(last));
        }
      }
    };
  }

  @FunctionalInterface
  private interface Reader {
    double get(int i);
  }

  @FunctionalInterface
  private interface Writer {
    void put(int i, double value);
  }

  private static Reader reader(Tensor t) {
    ByteBuffer bytes = CpuBuffer.byteView(t);
    FloatBuffer floats = bytes.asFloatBuffer();
    DoubleBuffer doubles = bytes.asDoubleBuffer();
    return switch (t.dtype()) {
      case F32 -> floats::get;
      case F64 -> doubles::get;
      case U8 -> i -> bytes.get(i) & 0xff;
      case I32, F16, BF16 -> throw new IllegalArgumentException("cannot copy " + t);
    };
  }

  private static Writer writer(Tensor t) {
    FloatBuffer floats = CpuBuffer.byteView(t).asFloatBuffer();
    DoubleBuffer doubles = CpuBuffer.byteView(t).asDoubleBuffer();
    return t.dtype() == DType.F32 ? (i, v) -> floats.put(i, (float) v) : doubles::put;
  }

  Kernel concat(List<Tensor> inputs, Tensor y) {
    Check.that(!inputs.isEmpty(), "concatenation of nothing");
    Check.activation("concatenation output", y);
    long channels = 0;
    for (Tensor t : inputs) {
      Check.activation("concatenation input", t);
      Check.that(
          t.shape().with(1, 1).equals(y.shape().with(1, 1)),
          "concatenation: shapes " + t.shape() + " and " + y.shape());
      channels += t.shape().dim(1);
    }
    Check.shape("concatenation output", y, y.shape().with(1, channels));
    List<Desc> descs = inputs.stream().map(Desc::of).toList();
    Desc yd = Desc.of(y);
    Primitive p =
        dnnl.primitive(List.of("concatenation", descs, yd), (d, a) -> concat(d, descs, yd, a));
    Execution.Builder e = new Execution.Builder(p).arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    for (int i = 0; i < inputs.size(); i++) {
      e.arg(DNNL_ARG_MULTIPLE_SRC + i, dnnl.memory(descs.get(i), inputs.get(i)));
    }
    return e.build();
  }

  private int concat(
      dnnl_primitive_desc out, List<Desc> descs, Desc yd, dnnl_primitive_attr attributes) {
    try (PointerPointer<dnnl_memory_desc> sources = new PointerPointer<>(descs.size());
        PointerPointer<dnnl_primitive_desc> result = new PointerPointer<>(1)) {
      for (int i = 0; i < descs.size(); i++) {
        sources.put(i, dnnl.md(descs.get(i)));
      }
      int status =
          dnnl_concat_primitive_desc_create(
              result, Dnnl.engine(), dnnl.md(yd), descs.size(), 1, sources, attributes);
      if (status == dnnl_success) {
        Pointer created = result.get(0);
        dnnl_primitive_desc_clone(out, new dnnl_primitive_desc(created));
        dnnl_primitive_desc_destroy(new dnnl_primitive_desc(created));
      }
      return status;
    }
  }

  Kernel sliceChannels(Tensor x, long from, Tensor y) {
    Check.activation("slice input", x);
    Check.activation("slice output", y);
    Shape xs = x.shape();
    Shape ys = y.shape();
    Check.that(
        xs.with(1, 1).equals(ys.with(1, 1)) && from >= 0 && from + ys.dim(1) <= xs.dim(1),
        "no slice " + ys + " from channel " + from + " of " + xs);
    Desc part = window(xs, ys, 1);
    Desc yd = Desc.of(y);
    return dnnl.reorder(part, NativeMemory.of(dnnl.md(part), x, from), yd, dnnl.memory(yd, y));
  }

  Kernel shortcut(Tensor x, int stride, long before, Tensor y) {
    checkShortcut(x, stride, before, y);
    Kernel move = shortcutMove(x, stride, before, y, true);
    if (x.shape().dim(1) == y.shape().dim(1)) {
      return move;
    }
    return zeroThen(y, move);
  }

  Kernel shortcutBackward(Tensor dy, int stride, long before, Tensor dx) {
    checkShortcut(dx, stride, before, dy);
    Kernel move = shortcutMove(dx, stride, before, dy, false);
    return stride == 1 ? move : zeroThen(dx, move);
  }

  private Kernel shortcutMove(Tensor x, int stride, long before, Tensor y, boolean forward) {
    Shape part = y.shape().with(1, x.shape().dim(1));
    long whole = x.shape().dim(2) / stride;
    if (whole == part.dim(2)) {
      return rows(x, 0, stride, before, y, 0, part, forward);
    }
    // oneDNN takes an image's steps of rows only while they end inside the image
    Kernel last = rows(x, whole * stride, stride, before, y, whole, part.with(2, 1), forward);
    if (whole == 0) {
      return last;
    }
    Kernel first = rows(x, 0, stride, before, y, 0, part.with(2, whole), forward);
    return () -> {
      first.launch();
      last.launch();
    };
  }

  private Kernel rows(
      Tensor x, long row, int stride, long before, Tensor y, long to, Shape part, boolean forward) {
    Desc xd = window(x.shape(), part, stride);
    Desc yd = window(y.shape(), part, 1);
    long xRow = x.shape().dim(1) * x.shape().dim(3);
    long yRow = y.shape().dim(1) * y.shape().dim(3);
    NativeMemory xm = NativeMemory.of(dnnl.md(xd), x, row * xRow);
    NativeMemory ym = NativeMemory.of(dnnl.md(yd), y, to * yRow + before);
    return forward ? dnnl.reorder(xd, xm, yd, ym) : dnnl.reorder(yd, ym, xd, xm);
  }

  private static Kernel zeroThen(Tensor t, Kernel next) {
    CpuBuffer buffer = (CpuBuffer) t.buffer();
    BytePointer start = CpuBuffer.bytes(t);
    long bytes = t.bytes();
    return () -> {
      buffer.requireOpen();
      Pointer.memset(start, 0, bytes);
      next.launch();
    };
  }

  private static void checkShortcut(Tensor x, int stride, long before, Tensor y) {
    Check.activation("shortcut input", x);
    Check.activation("shortcut output", y);
    Shape xs = x.shape();
    Shape ys = y.shape();
    Check.that(
        xs.dim(0) == ys.dim(0)
            && (xs.dim(2) + stride - 1) / stride == ys.dim(2)
            && (xs.dim(3) + stride - 1) / stride == ys.dim(3)
            && before >= 0
            && before + xs.dim(1) <= ys.dim(1),
        String.format(
            "shortcut by stride %d with %d channels before does not lead from %s to %s",
            stride, before, xs, ys));
  }

  /** The extents {@code part} within a channels-last tensor, every stride-th row and column. */
  private static Desc window(Shape whole, Shape part, int stride) {
    long c = whole.dim(1);
    long w = whole.dim(3);
    return Desc.strided(part, whole.dim(2) * w * c, 1, stride * w * c, stride * c);
  }
}
