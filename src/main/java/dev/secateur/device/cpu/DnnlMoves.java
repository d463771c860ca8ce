package dev.secateur.device.cpu;

import static dev.secateur.device.Contract.that;
import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Moves;
import dev.secateur.device.ResizeSpec;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Elements moved: by oneDNN where it can tell how by strides alone, else in Java, channels
 * innermost.
 */
final class DnnlMoves implements Moves {
  private static final int PIECE = 4096;
  private static final int POSITIONS_PER_TASK = 256;
  private final Dnnl dnnl;

  DnnlMoves(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileCopy(Tensor src, Tensor dst) {
    if (src.dtype() != DType.F64 && dst.dtype() == DType.F32) {
      DnnlDesc from = DnnlDesc.of(src);
      DnnlDesc to = DnnlDesc.of(dst);
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
    if (DnnlDesc.of(src).tag() == DnnlDesc.of(dst).tag()) {
      return () -> {
        from.requireOpen();
        to.requireOpen();
        for (int i = 0; i < n; i++) {
          writer.put(i, reader.get(i));
        }
      };
    }
    boolean toLast = DnnlDesc.channelsLast(dst);
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
    ByteBuffer bytes = CpuViews.bytes(t);
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
    FloatBuffer floats = CpuViews.bytes(t).asFloatBuffer();
    DoubleBuffer doubles = CpuViews.bytes(t).asDoubleBuffer();
    return t.dtype() == DType.F32 ? (i, v) -> floats.put(i, (float) v) : doubles::put;
  }

  @Override
  public Kernel compileConcat(List<Tensor> inputs, List<Long> channels, Tensor y) {
    long all = inputs.stream().mapToLong(x -> x.shape().dim(1)).sum();
    if (all != channels.stream().mapToLong(c -> c).sum() || all != y.shape().dim(1)) {
      List<Kernel> parts = new ArrayList<>();
      long to = 0;
      for (int i = 0; i < inputs.size(); i++) {
        parts.add(channels(inputs.get(i), 0, channels.get(i), y, to));
        to += channels.get(i);
      }
      return zeroThen(y, Kernel.each(parts));
    }
    List<DnnlDesc> descs = inputs.stream().map(DnnlDesc::of).toList();
    DnnlDesc yd = DnnlDesc.of(y);
    DnnlPrimitive p =
        dnnl.primitive(List.of("concatenation", descs, yd), (d, a) -> concat(d, descs, yd, a));
    DnnlExecution.Builder e = new DnnlExecution.Builder(p).arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    for (int i = 0; i < inputs.size(); i++) {
      e.arg(DNNL_ARG_MULTIPLE_SRC + i, dnnl.memory(descs.get(i), inputs.get(i)));
    }
    return e.build();
  }

  private int concat(
      dnnl_primitive_desc out, List<DnnlDesc> descs, DnnlDesc yd, dnnl_primitive_attr attributes) {
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

  @Override
  public Kernel compileSliceChannels(Tensor x, long from, long channels, Tensor y) {
    Kernel move = channels(x, from, channels, y, 0);
    return channels == y.shape().dim(1) ? move : zeroThen(y, move);
  }

  private Kernel channels(Tensor x, long from, long count, Tensor y, long to) {
    Shape part = x.shape().with(1, count);
    DnnlDesc xd = window(x.shape(), part, 1);
    DnnlDesc yd = window(y.shape(), part, 1);
    return dnnl.reorder(
        xd, DnnlMemory.of(dnnl.md(xd), x, from), yd, DnnlMemory.of(dnnl.md(yd), y, to));
  }

  @Override
  public Kernel compileShortcut(Tensor x, int stride, long before, long channels, Tensor y) {
    Kernel move = shortcutMove(x, stride, before, channels, y, true);
    if (channels == y.shape().dim(1)) {
      return move;
    }
    return zeroThen(y, move);
  }

  @Override
  public Kernel compileShortcutBackward(
      Tensor dy, int stride, long before, long channels, Tensor dx) {
    Kernel move = shortcutMove(dx, stride, before, channels, dy, false);
    return stride == 1 && channels == dx.shape().dim(1) ? move : zeroThen(dx, move);
  }

  private Kernel shortcutMove(
      Tensor x, int stride, long before, long channels, Tensor y, boolean forward) {
    Shape part = y.shape().with(1, channels);
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
    DnnlDesc xd = window(x.shape(), part, stride);
    DnnlDesc yd = window(y.shape(), part, 1);
    long xRow = x.shape().dim(1) * x.shape().dim(3);
    long yRow = y.shape().dim(1) * y.shape().dim(3);
    DnnlMemory xm = DnnlMemory.of(dnnl.md(xd), x, row * xRow);
    DnnlMemory ym = DnnlMemory.of(dnnl.md(yd), y, to * yRow + before);
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

  /** The extents {@code part} within a channels-last tensor, every stride-th row and column. */
  private static DnnlDesc window(Shape whole, Shape part, int stride) {
    long c = whole.dim(1);
    long w = whole.dim(3);
    return DnnlDesc.strided(part, whole.dim(2) * w * c, 1, stride * w * c, stride * c);
  }

  @Override
  public Kernel fill(Tensor x, double value) {
    long n = x.elements();
    int pieces = Math.toIntExact((n + PIECE - 1) / PIECE);
    int last = (int) (n - (long) (pieces - 1) * PIECE);
    switch (x.dtype()) {
      case F32 -> {
        FloatBuffer[] v = CpuViews.floatPieces(x, PIECE);
        float[] values = new float[PIECE];
        Arrays.fill(values, (float) value);
        return () -> {
          for (int i = 0; i < pieces; i++) {
            v[i].put(0, values, 0, i == pieces - 1 ? last : PIECE);
          }
        };
      }
      case F64 -> {
        DoubleBuffer[] v = CpuViews.doublePieces(x, PIECE);
        double[] values = new double[PIECE];
        Arrays.fill(values, value);
        return () -> {
          for (int i = 0; i < pieces; i++) {
            v[i].put(0, values, 0, i == pieces - 1 ? last : PIECE);
          }
        };
      }
      case I32 -> {
        IntBuffer v = CpuViews.ints(x);
        return () -> {
          for (int i = 0; i < v.capacity(); i++) {
            v.put(i, (int) value);
          }
        };
      }
      default -> {
        ByteBuffer v = CpuViews.bytes(x);
        return () -> {
          for (int i = 0; i < v.capacity(); i++) {
            v.put(i, (byte) (int) value);
          }
        };
      }
    }
  }

  @Override
  public Kernel compileGather(Tensor x, int axis, Tensor indices, Tensor y) {
    int count = indices.shape().size(0);
    long outer = 1;
    for (int i = 0; i < axis; i++) {
      outer *= x.shape().dim(i);
    }
    int extent = x.shape().size(axis);
    int blocks = Math.toIntExact(outer);
    ByteBuffer from = CpuViews.bytes(x);
    ByteBuffer to = CpuViews.bytes(y);
    IntBuffer list = CpuViews.ints(indices);
    int size = Math.toIntExact(x.bytes() / outer / extent);
    return () -> {
      for (int i = 0; i < count; i++) {
        int index = list.get(i);
        that(index >= 0 && index < extent, "index must be below " + extent, index);
        for (int o = 0; o < blocks; o++) {
          to.put((o * count + i) * size, from, (o * extent + index) * size, size);
        }
      }
    };
  }

  @Override
  public Kernel compileSelectChannels(Tensor x, Tensor channels, Tensor y) {
    int count = channels.shape().size(0);
    int c = x.shape().size(1);
    int positions = Math.toIntExact(x.elements() / c);
    FloatBuffer from = CpuViews.floats(x);
    FloatBuffer to = CpuViews.floats(y);
    IntBuffer list = CpuViews.ints(channels);
    CpuBuffer[] used = CpuBuffer.distinct(x, channels, y);
    int[] chosen = new int[count];
    int each = Math.min(positions, POSITIONS_PER_TASK);
    float[][] in = new float[CpuParallel.slots()][each * c];
    float[][] out = new float[CpuParallel.slots()][each * count];
    int tasks = (positions + each - 1) / each;
    CpuParallel.Body body =
        (task, slot) -> {
          int first = task * each;
          int n = Math.min(each, positions - first);
          from.get(first * c, in[slot], 0, n * c);
          choose(in[slot], c, chosen, out[slot], n);
          to.put(first * count, out[slot], 0, n * count);
        };
    return () -> {
      CpuBuffer.requireOpen(used);
      list.get(0, chosen);
      CpuParallel.run(tasks, (long) positions * Math.max(c, count), body);
    };
  }

  private static void choose(float[] in, int channels, int[] chosen, float[] out, int positions) {
    for (int p = 0; p < positions; p++) {
      for (int j = 0; j < chosen.length; j++) {
        int i = chosen[j];
        out[p * chosen.length + j] = i < 0 || i >= channels ? 0 : in[p * channels + i];
      }
    }
  }

  @Override
  public Kernel compilePad(Tensor x, int top, int left, float value, Tensor y) {
    Shape xs = x.shape();
    Shape ys = y.shape();
    int c = xs.size(1);
    int h = xs.size(2);
    int w = xs.size(3);
    int outH = ys.size(2);
    int outW = ys.size(3);
    FloatBuffer from = CpuViews.floats(x);
    FloatBuffer to = CpuViews.floats(y);
    CpuBuffer[] used = CpuBuffer.distinct(x, y);
    float[] border = new float[outW * c];
    Arrays.fill(border, value);
    int first = Math.min(outW, Math.max(0, left)); // columns of y with x in them
    int last = Math.max(first, Math.min(outW, left + w));
    CpuParallel.Body body =
        (task, slot) -> {
          int row = task % outH - top;
          int at = task * outW * c;
          if (row < 0 || row >= h || first == last) {
            to.put(at, border, 0, outW * c);
            return;
          }
          to.put(at, border, 0, first * c);
          int source = ((task / outH * h + row) * w + first - left) * c;
          to.put(at + first * c, from, source, (last - first) * c);
          to.put(at + last * c, border, 0, (outW - last) * c);
        };
    int tasks = ys.size(0) * outH;
    return () -> {
      CpuBuffer.requireOpen(used);
      CpuParallel.run(tasks, (long) tasks * outW * c, body);
    };
  }

  @Override
  public Kernel compileResize(ResizeSpec spec, Tensor x, Tensor y) {
    return new CpuResize(spec, x, y).forward();
  }

  @Override
  public Kernel compileResizeBackward(ResizeSpec spec, Tensor dy, Tensor dx) {
    return new CpuResize(spec, dx, dy).backward();
  }

  @Override
  public Kernel compileImageInput(
      Tensor pixels, Optional<Tensor> crops, int padding, Tensor scale, Tensor shift, Tensor y) {
    return new CpuPixels(pixels, crops, padding, scale, shift, y);
  }

  @Override
  public Kernel compileMixImages(Tensor x, Tensor plan, Tensor blends, Tensor y) {
    return new CpuMix(x, plan, blends, y);
  }
}
