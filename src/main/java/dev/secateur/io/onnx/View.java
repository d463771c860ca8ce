package dev.secateur.io.onnx;

import dev.secateur.tensor.Shape;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * How the axes of an ONNX tensor lie over the axes of a node's output, (N,C,H,W) or (N,C). Each
 * axis is a product of parts of those, outermost first, so that any chain of Reshape and Transpose
 * is followed without moving data: a shuffle of channels ends as an axis of two parts of C in
 * another order. Parts of extent 1 are left out, except N.
 */
final class View {
  private static final int LARGEST_ORDER = 1 << 24;

  /** Axes of a node's output. */
  enum Axis {
    N,
    C,
    H,
    W
  }

  /** Orders of axes in which layers work; L is the width of an image of height 1. */
  enum Layout {
    NCHW(List.of(Axis.N, Axis.C, Axis.H, Axis.W)),
    NHWC(List.of(Axis.N, Axis.H, Axis.W, Axis.C)),
    NCL(List.of(Axis.N, Axis.C, Axis.W)),
    NLC(List.of(Axis.N, Axis.W, Axis.C)),
    /** (N, C·H·W). */
    FLAT(List.of(Axis.N, Axis.C));

    private final List<Axis> axes;

    Layout(List<Axis> axes) {
      this.axes = axes;
    }

    int rank() {
      return axes.size();
    }

    /** The axis of the channels. */
    int channels() {
      return axes.indexOf(Axis.C);
    }

    boolean channelsLast() {
      return this == NHWC || this == NLC;
    }

    /** Whether it has a length, not a height and a width. */
    boolean line() {
      return this == NCL || this == NLC;
    }

    /** 0 for the axis of the height, 1 for that of the width or length; -1 for others. */
    int spatial(int axis) {
      return Math.max(-1, axes.get(axis).ordinal() - Axis.H.ordinal());
    }
  }

  /** Index {@code i} of this part moves {@code i * stride} along {@code axis}. */
  private record Part(Axis axis, long extent, long stride) {}

  private final Shape shape;
  private final long batch;
  private final long[] dims;
  private final List<List<Part>> axes;

  private View(Shape shape, long batch, long[] dims, List<List<Part>> axes) {
    this.shape = shape;
    this.batch = batch;
    this.dims = dims;
    this.axes = axes;
  }

  /**
   * @param shape of a node's output for one image: rank 2 for FLAT, else 4, of height 1 for a line
   * @param batch the file's fixed batch, 1 where it is dynamic
   */
  static View of(Shape shape, long batch, Layout layout) {
    List<Axis> order = layout.axes;
    if ((layout == Layout.FLAT ? 2 : 4) != shape.rank() || layout.line() && shape.dim(2) != 1) {
      throw new IllegalArgumentException("no " + layout + " of " + shape);
    }
    long[] dims = new long[order.size()];
    List<List<Part>> axes = new ArrayList<>();
    for (int i = 0; i < dims.length; i++) {
      Axis a = order.get(i);
      dims[i] = a == Axis.N ? batch : shape.dim(a.ordinal());
      axes.add(a == Axis.N || dims[i] > 1 ? List.of(new Part(a, dims[i], 1)) : List.of());
    }
    return new View(shape, batch, dims, axes);
  }

  /** The ONNX tensor's extents. */
  long[] dims() {
    return dims.clone();
  }

  int rank() {
    return dims.length;
  }

  /**
   * The images stay an axis of their own where there is one of their number; else they are part of
   * an axis, as channels are. A file that says so of a batch of 1 is meant for any.
   *
   * @param to all positive
   * @return empty where an axis would be cut unevenly
   */
  Optional<View> reshape(long[] to) {
    Deque<Part> left = new ArrayDeque<>();
    axes.forEach(left::addAll);
    List<List<Part>> out = new ArrayList<>();
    for (int i = 0; i < to.length; i++) {
      List<Part> axis = new ArrayList<>();
      long need = to[i];
      boolean images = !left.isEmpty() && left.peek().axis() == Axis.N;
      if (images && left.peek().extent() == need) {
        axis.add(left.poll());
        need = 1;
      }
      while (need > 1) {
        Part p = left.poll();
        if (p == null) {
          return Optional.empty();
        }
        if (need % p.extent() == 0) {
          axis.add(p);
          need /= p.extent();
        } else if (p.extent() % need == 0 && p.axis() != Axis.N) {
          long inner = p.extent() / need;
          axis.add(new Part(p.axis(), need, p.stride() * inner));
          left.push(new Part(p.axis(), inner, p.stride()));
          need = 1;
        } else {
          return Optional.empty();
        }
      }
      out.add(merged(axis));
    }
    return left.isEmpty() ? Optional.of(new View(shape, batch, to.clone(), out)) : Optional.empty();
  }

  private static List<Part> merged(List<Part> parts) {
    List<Part> out = new ArrayList<>();
    for (Part p : parts) {
      Part last = out.isEmpty() ? null : out.get(out.size() - 1);
      if (last != null && last.axis() == p.axis() && last.stride() == p.extent() * p.stride()) {
        out.set(out.size() - 1, new Part(p.axis(), last.extent() * p.extent(), p.stride()));
      } else {
        out.add(p);
      }
    }
    return List.copyOf(out);
  }

  /**
   * @param order a permutation of the axes
   */
  View transpose(int[] order) {
    long[] d = new long[rank()];
    List<List<Part>> out = new ArrayList<>();
    for (int i = 0; i < d.length; i++) {
      d[i] = dims[order[i]];
      out.add(axes.get(order[i]));
    }
    return new View(shape, batch, d, out);
  }

  /** The same axes over the output of another node, without the parts that are 1 there. */
  View over(Shape other) {
    long[] d = dims.clone();
    List<List<Part>> out = new ArrayList<>();
    for (int i = 0; i < d.length; i++) {
      List<Part> parts = new ArrayList<>();
      for (Part p : axes.get(i)) {
        boolean gone = p.axis() != Axis.N && other.dim(p.axis().ordinal()) == 1;
        if (gone) {
          d[i] /= p.extent();
        } else {
          parts.add(p);
        }
      }
      out.add(parts);
    }
    return new View(other, batch, d, out);
  }

  /** Whether an axis is the whole of one or more of the node's axes, and which. */
  boolean covers(int axis, Axis... wanted) {
    long product = 1;
    for (Axis a : wanted) {
      product *= a.ordinal() < shape.rank() ? shape.dim(a.ordinal()) : 1;
    }
    return dims[axis] == product
        && axes.get(axis).stream().allMatch(p -> Arrays.asList(wanted).contains(p.axis()));
  }

  /** Whether an axis holds parts of height or width only, or nothing. */
  boolean spatial(int axis) {
    return axes.get(axis).stream().allMatch(p -> p.axis() == Axis.H || p.axis() == Axis.W);
  }

  /** The product of the extents of an axis's parts that belong to {@code of}. */
  long extent(int axis, Axis of) {
    return axes.get(axis).stream()
        .filter(p -> p.axis() == of)
        .mapToLong(Part::extent)
        .reduce(1, (a, b) -> a * b);
  }

  /** The layout, where channels may be in any order; empty for other shapes. */
  Optional<Layout> layout() {
    if (rank() == 0 || axes.get(0).size() != 1 || axes.get(0).get(0).axis() != Axis.N) {
      return Optional.empty();
    }
    if (rank() == 2) {
      return axes.get(1).stream().noneMatch(p -> p.axis() == Axis.N)
          ? Optional.of(Layout.FLAT)
          : Optional.empty();
    }
    if (shape.rank() != 4) {
      return Optional.empty();
    }
    return Arrays.stream(Layout.values()).filter(this::is).findFirst();
  }

  private boolean is(Layout layout) {
    if (layout.rank() != rank() || layout.line() && shape.dim(2) != 1) {
      return false;
    }
    boolean same = true;
    for (int i = 1; i < rank(); i++) {
      Axis a = layout.axes.get(i);
      same &= a == Axis.C ? covers(i, a) : whole(i, a);
    }
    return same;
  }

  private boolean whole(int axis, Axis a) {
    return covers(axis, a) && axes.get(axis).size() <= 1;
  }

  /** Places along an axis in the order of the node's output, counted over C, H and W. */
  int[] order(int axis) {
    long size = dims[axis];
    if (size > LARGEST_ORDER) {
      throw new Translator.Broken("an order of " + size + " elements is too long");
    }
    int[] out = new int[(int) size];
    long h = shape.rank() == 4 ? shape.dim(2) : 1;
    long w = shape.rank() == 4 ? shape.dim(3) : 1;
    List<Part> parts = axes.get(axis);
    for (int i = 0; i < out.length; i++) {
      long rest = i;
      long at = 0;
      for (int j = parts.size() - 1; j >= 0; j--) {
        Part p = parts.get(j);
        long step =
            switch (p.axis()) {
              case N -> throw new IllegalArgumentException("images cannot be reordered");
              case C -> h * w;
              case H -> w;
              case W -> 1;
            };
        at += rest % p.extent() * p.stride() * step;
        rest /= p.extent();
      }
      out[i] = Math.toIntExact(at);
    }
    return out;
  }

  /**
   * Where channel {@code c} of the node lies along an axis that consists of parts of C; 0 for an
   * axis of extent 1.
   *
   * @return empty where the axis has other parts
   */
  Optional<int[]> channelPlaces(int axis) {
    List<Part> parts = axes.get(axis);
    if (!parts.stream().allMatch(p -> p.axis() == Axis.C)) {
      return Optional.empty();
    }
    int[] out = new int[shape.size(1)];
    for (int c = 0; c < out.length; c++) {
      long at = 0;
      for (Part p : parts) {
        at = at * p.extent() + c / p.stride() % p.extent();
      }
      out[c] = Math.toIntExact(at);
    }
    return Optional.of(out);
  }

  /**
   * The same axes over some channels of the node, those at one place of an axis of channels, which
   * is of extent 1 then.
   *
   * @param other the node that has these channels, in the same order
   */
  View at(int axis, Shape other) {
    long[] d = dims.clone();
    d[axis] = 1;
    List<Part> gone = axes.get(axis);
    List<List<Part>> out = new ArrayList<>();
    for (int i = 0; i < d.length; i++) {
      List<Part> parts = new ArrayList<>();
      for (Part p : i == axis ? List.<Part>of() : axes.get(i)) {
        long stride = p.stride();
        for (Part g : gone) {
          stride /= p.axis() == Axis.C && p.stride() > g.stride() ? g.extent() : 1;
        }
        parts.add(new Part(p.axis(), p.extent(), stride));
      }
      out.add(merged(parts));
    }
    return new View(other, batch, d, out);
  }

  /** (N,C,H,W) cut into blocks of pixels, or channels into such, in the order of pixel shuffle. */
  Optional<View> shuffled(long r, boolean up) {
    long n = dims[0];
    long c = dims[1];
    long[] split =
        up
            ? new long[] {n, c / (r * r), r, r, dims[2], dims[3]}
            : new long[] {n, c, dims[2] / r, r, dims[3] / r, r};
    int[] order = up ? new int[] {0, 1, 4, 2, 5, 3} : new int[] {0, 1, 3, 5, 2, 4};
    return reshape(split).map(v -> v.transpose(order));
  }

  /**
   * Height and width, where features of two axes are seen as an image of (N,C,H,W) or (N,C,L) in
   * order.
   */
  Optional<long[]> unflattened() {
    boolean image =
        (rank() == 4 || rank() == 3)
            && shape.rank() == 2
            && new View(
                    shape,
                    batch,
                    new long[] {dims[0], shape.dim(1)},
                    List.of(axes.get(0), List.of(new Part(Axis.C, shape.dim(1), 1))))
                .reshape(dims)
                .filter(this::alike)
                .isPresent();
    long height = rank() == 4 ? dims[2] : 1;
    return image ? Optional.of(new long[] {height, dims[rank() - 1]}) : Optional.empty();
  }

  /** Whether both have the same extents over the same axes; the nodes may differ. */
  boolean alike(View o) {
    return shape.equals(o.shape) && Arrays.equals(dims, o.dims) && axes.equals(o.axes);
  }
}
