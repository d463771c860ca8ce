package dev.secateur.io.onnx;

import dev.secateur.device.PoolSpec;
import dev.secateur.io.Text;
import dev.secateur.io.onnx.Value.Features;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Spread;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Operators that move numbers: reshapes, concatenations, slices, pads. */
final class Channels {
  private Channels() {}

  // ---- views -----------------------------------------------------------------------------------

  static void identity(Step s) {
    Value v = s.value(0);
    s.put(v instanceof Features ? s.raw(0) : v);
  }

  static void cast(Step s) {
    long to = s.attributes().integer("to", 1);
    if (to != 1 && to != 10 && to != 16) {
      throw new IllegalArgumentException(
          "casts features to data type " + to + "; only float networks are read");
    }
    identity(s);
  }

  /** To the type of a tensor that is known to be float, as all features are. */
  static void castLike(Step s) {
    if (s.isConstant(1) && s.constant(1).whole()) {
      throw new IllegalArgumentException("casts to whole numbers");
    }
    if (s.isConstant(0)) {
      Constant c = s.constant(0);
      s.put(Constant.of(c.dims(), c.asFloats()));
    } else {
      identity(s);
    }
  }

  static void shape(Step s) {
    s.put(ConstantFolding.part(s.raw(0).view().dims(), s.attributes()));
  }

  static void size(Step s) {
    long n = Shapes.product(s.raw(0).view().dims());
    s.put(Constant.of(new long[0], new long[] {n}));
  }

  static void reshape(Step s) {
    long[] to = s.has(1) ? s.constant(1).asLongs() : s.attributes().integers("shape").orElseThrow();
    to(s, Shapes.reshape(s.raw(0).view().dims(), to, s.attributes().flag("allowzero")));
  }

  static void flatten(Step s) {
    to(s, Shapes.flatten(s.raw(0).view().dims(), s.attributes().integer("axis", 1)));
  }

  static void squeeze(Step s) {
    to(s, Shapes.squeeze(s.raw(0).view().dims(), axes(s)));
  }

  static void unsqueeze(Step s) {
    to(s, Shapes.unsqueeze(s.raw(0).view().dims(), axes(s)));
  }

  private static Optional<long[]> axes(Step s) {
    return s.attributes().axes(s.parameters(), 1);
  }

  static void expand(Step s) {
    long[] dims = s.raw(0).view().dims();
    if (!Arrays.equals(Shapes.broadcast(dims, s.constant(1).asLongs()), dims)) {
      throw new IllegalArgumentException("features are not repeated");
    }
    identity(s);
  }

  private static void to(Step s, long[] dims) {
    Features x = s.raw(0);
    Optional<Op> shuffle = shuffle(s, x, dims);
    if (shuffle.isPresent()) {
      Features all = s.features(0);
      s.put(s.builder().add(s.name(), shuffle.get(), List.of(all.node())), View.Layout.NCHW);
      return;
    }
    View v =
        x.view()
            .reshape(dims)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "reshapes "
                            + Text.dims(x.view().dims())
                            + " to "
                            + Text.dims(dims)
                            + ", which mixes images, channels or positions"));
    s.put(x.through(v));
  }

  /** Pixel shuffle written as a reshape to six axes, a transpose and this reshape. */
  private static Optional<Op> shuffle(Step s, Features x, long[] to) {
    Shape from = s.builder().shape(x.node());
    if (x.view().rank() != 6 || to.length != 4 || from.rank() != 4) {
      return Optional.empty();
    }
    for (boolean up : new boolean[] {true, false}) {
      long small = up ? from.dim(2) : to[2];
      long large = up ? to[2] : from.dim(2);
      long r = small > 0 && large % small == 0 ? large / small : 0;
      if (r < 2 || r > 1 << 12) {
        continue;
      }
      PixelShuffle op = new PixelShuffle((int) r, up);
      Shape out;
      try {
        out = op.output(List.of(from));
      } catch (IllegalArgumentException e) {
        continue;
      }
      boolean same =
          View.of(from, to[0], View.Layout.NCHW)
              .shuffled(r, up)
              .filter(x.view()::alike)
              .isPresent();
      if (same && Arrays.equals(out.with(0, to[0]).toArray(), to)) {
        return Optional.of(op);
      }
    }
    return Optional.empty();
  }

  /** DepthToSpace in either order, and its inverse, whose channels are of the order DCR. */
  static void blocks(Step s, boolean up) {
    long r = s.attributes().integer("blocksize", 0);
    Translator.Placed at = s.image(0);
    String x = at.node();
    if (at.layout().line()) {
      throw new IllegalArgumentException("moves blocks of (N,C,L); expected (N,C,H,W)");
    }
    if (r < 1 || r > 1 << 12) {
      throw new IllegalArgumentException("has a block size of " + r);
    }
    PixelShuffle op = new PixelShuffle((int) r, up);
    int each = (int) (r * r);
    boolean columns = up && s.attributes().text("mode", "DCR").equals("CRD");
    int c = up ? s.builder().shape(x).size(1) : s.builder().shape(x).size(1) * each;
    int[] order = new int[c];
    // of PyTorch's order (c r + i) r + j from ONNX's (i r + j) c, or back
    for (int i = 0; i < c; i++) {
      order[i] = up ? i % each * (c / each) + i / each : i % (c / each) * each + i / (c / each);
    }
    if (up && !columns) {
      x = s.translator().select(x, order);
    }
    String y = s.builder().add(s.name(), op, List.of(x));
    s.put(up ? y : s.translator().select(y, order), View.Layout.NCHW);
  }

  static void transpose(Step s) {
    Features x = s.raw(0);
    int[] order = Shapes.permutation(s.attributes().integers("perm"), x.view().rank());
    s.put(x.through(x.view().transpose(order)));
  }

  // ---- parts and wholes ------------------------------------------------------------------------

  static void concat(Step s) {
    List<Translator.Placed> parts = new ArrayList<>();
    for (int i = 0; i < s.inputs(); i++) {
      if (s.isConstant(i)) {
        throw new IllegalArgumentException("joins features with a constant");
      }
      parts.add(s.place(i));
    }
    View.Layout layout = parts.get(0).layout();
    int rank = layout.rank();
    int axis = Shapes.axis(s.attributes().integer("axis", 1), rank);
    if (axis != layout.channels() || parts.stream().anyMatch(p -> p.layout() != layout)) {
      throw new IllegalArgumentException("joins along axis " + axis + ", not along the channels");
    }
    List<String> nodes = parts.stream().map(Translator.Placed::node).toList();
    s.put(
        nodes.size() == 1 ? nodes.get(0) : s.builder().add(s.name(), new Concat(), nodes), layout);
  }

  private static Features selected(Step s, Translator.Placed x, int[] channels) {
    Shape from = s.builder().shape(x.node());
    if (from.rank() == 4 && from.dim(1) == 1 && channels.length > 1) {
      String wide = s.builder().add(s.name(), new Spread(channels.length), List.of(x.node()));
      return s.translator().features(new Translator.Placed(wide, x.layout()));
    }
    String y = s.translator().select(x.node(), channels);
    return s.translator().features(new Translator.Placed(y, x.layout()));
  }

  private static int[] range(long from, long length, long step) {
    int[] out = new int[Math.toIntExact(length)];
    for (int i = 0; i < out.length; i++) {
      out[i] = Math.toIntExact(from + i * step);
    }
    return out;
  }

  /** Whether it was a split of an axis of channels that is none of a layout's, into ones. */
  private static boolean splitHalves(Step s) {
    Features x = s.features(0);
    int axis = Shapes.axis(s.attributes().integer("axis", 0), x.view().rank());
    if (x.view().dims()[axis] != s.outputs()) {
      return false;
    }
    for (int i = 0; i < s.outputs(); i++) {
      Optional<Features> one = half(s, x, axis, i);
      if (one.isEmpty()) {
        return false;
      }
      s.put(i, one.get());
    }
    return true;
  }

  static void split(Step s) {
    if (splitHalves(s)) {
      return;
    }
    Translator.Placed x = s.place(0);
    channelAxis(s, x, "splits");
    long all = s.builder().shape(x.node()).dim(1);
    long[] sizes = s.attributes().integers("split").orElse(new long[0]);
    if (s.has(1)) {
      sizes = s.constant(1).asLongs();
    }
    if (sizes.length == 0) {
      int n = s.outputs();
      long each = (all + n - 1) / n;
      sizes = new long[n];
      for (int i = 0; i < n; i++) {
        sizes[i] = Math.max(0, Math.min(each, all - i * each));
      }
    }
    if (sizes.length < s.outputs() || Arrays.stream(sizes).anyMatch(v -> v < 1 || v > all)) {
      throw new IllegalArgumentException(
          "splits " + all + " channels into " + Text.dims(sizes) + " for " + s.outputs());
    }
    long from = 0;
    for (int i = 0; i < s.outputs(); i++) {
      if (from + sizes[i] > all) {
        throw new IllegalArgumentException("splits more than " + all + " channels");
      }
      if (!s.output(i).isEmpty()) {
        s.put(i, selected(s, x, range(from, sizes[i], 1)));
      }
      from += sizes[i];
    }
  }

  private static void channelAxis(Step s, Translator.Placed x, String does) {
    int rank = x.layout().rank();
    int axis = Shapes.axis(s.attributes().integer("axis", 0), rank);
    if (axis != x.layout().channels()) {
      throw new IllegalArgumentException(does + " along axis " + axis + ", not the channels");
    }
  }

  /**
   * The channels at one place of an axis of channels that is not the axis of a layout: one half of
   * a shuffle whose halves are (2,N,C/2,H,W), say.
   *
   * @return empty where it is no such axis
   */
  private static Optional<Features> half(Step s, Features x, long axis, long index) {
    View v = x.view();
    if (v.layout().isPresent() || v.unflattened().isPresent()) {
      return Optional.empty();
    }
    int a = Shapes.axis(axis, v.rank());
    Optional<int[]> places = v.channelPlaces(a);
    if (places.isEmpty() || v.dims()[a] == 1) {
      return Optional.empty();
    }
    int[] place = places.get();
    int wanted = Shapes.axis(index, Math.toIntExact(v.dims()[a]));
    int[] channels = IntStream.range(0, place.length).filter(c -> place[c] == wanted).toArray();
    String y = s.translator().select(x.node(), channels);
    return Optional.of(new Features(y, v.at(a, s.builder().shape(y)), Optional.empty(), true));
  }

  /** Without an axis of extent 1. */
  private static Features without(Features y, int axis) {
    long[] dims = y.view().dims();
    long[] less = new long[dims.length - 1];
    System.arraycopy(dims, 0, less, 0, axis);
    System.arraycopy(dims, axis + 1, less, axis, less.length - axis);
    return y.through(y.view().reshape(less).orElseThrow());
  }

  static void gather(Step s) {
    if (s.isConstant(1) && s.constant(1).size() == 1 && s.constant(1).dims().length < 2) {
      Features all = s.features(0);
      long along = s.attributes().integer("axis", 0);
      Optional<Features> half = half(s, all, along, s.constant(1).asLongs()[0]);
      if (half.isPresent()) {
        boolean kept = s.constant(1).dims().length == 1;
        int axis = Shapes.axis(along, all.view().rank());
        s.put(kept ? half.get() : without(half.get(), axis));
        return;
      }
    }
    Translator.Placed x = s.place(0);
    channelAxis(s, x, "gathers");
    Constant indices = s.constant(1);
    int all = s.builder().shape(x.node()).size(1);
    int[] channels = Arrays.stream(indices.asLongs()).mapToInt(v -> Shapes.axis(v, all)).toArray();
    if (indices.dims().length > 1 || channels.length == 0) {
      throw new IllegalArgumentException("gathers by indices of " + Text.dims(indices.dims()));
    }
    Features y = selected(s, x, channels);
    s.put(indices.dims().length == 0 ? without(y, x.layout().channels()) : y);
  }

  static void slice(Step s) {
    Features x = s.features(0);
    List<Shapes.Slice> parts =
        new ArrayList<>(Shapes.slices(s.attributes(), s.parameters(), x.view().dims()));
    long[] dims = x.view().dims();
    parts.removeIf(p -> p.start() == 0 && p.step() == 1 && p.length() == dims[p.axis()]);
    if (parts.isEmpty()) {
      s.put(s.raw(0));
      return;
    }
    if (parts.stream().anyMatch(p -> p.length() == 0)) {
      throw new IllegalArgumentException("nothing would be left");
    }
    if (parts.size() == 1 && parts.get(0).length() == 1) {
      Optional<Features> half = half(s, x, parts.get(0).axis(), parts.get(0).start());
      if (half.isPresent()) {
        s.put(half.get());
        return;
      }
    }
    Translator.Placed at = s.translator().place(x);
    int channels = at.layout().channels();
    NetworkBuilder g = s.builder();
    String y = at.node();
    int[] crop = new int[4];
    int[] stride = {1, 1};
    for (Shapes.Slice p : parts) {
      if (p.axis() == channels) {
        y = s.translator().select(y, range(p.start(), p.length(), p.step()));
        continue;
      }
      int k = at.layout().spatial(p.axis());
      if (k < 0) {
        throw new IllegalArgumentException("takes some images of the batch");
      }
      if (p.step() < 1) {
        throw new IllegalArgumentException("mirrors the image");
      }
      long used = p.step() == 1 ? p.length() : dims[p.axis()] - p.start();
      if ((used + p.step() - 1) / p.step() != p.length()) {
        throw new IllegalArgumentException("takes every " + p.step() + " of a part of the image");
      }
      crop[k] = Math.toIntExact(-p.start());
      crop[2 + k] = Math.toIntExact(p.start() + used - dims[p.axis()]);
      stride[k] = Math.toIntExact(p.step());
    }
    if (Arrays.stream(crop).anyMatch(c -> c != 0)) {
      Op pad = new Pad(crop[0], crop[1], crop[2], crop[3], 0);
      y = g.add(s.name() + ".crop", pad, List.of(y));
    }
    if (stride[0] != stride[1]) { // pooling by a window of one pixel takes those that are wanted
      PoolSpec each = new PoolSpec(PoolSpec.Kind.MAX, 1, 1, stride[0], stride[1], 0, 0, 0, 0);
      y = g.add(s.name(), new Pool(each), List.of(y));
    } else if (stride[0] > 1) {
      y = g.add(s.name(), new Shortcut(stride[0], 0, 0), List.of(y));
    }
    s.put(y, at.layout());
  }

  static void pad(Step s) {
    String mode = s.attributes().text("mode", "constant");
    boolean constant = mode.equals("constant");
    if (!constant && !mode.equals("reflect") && !mode.equals("edge")) {
      throw new IllegalArgumentException(
          "pads by " + Text.name(mode) + "; constant, reflect and edge are read");
    }
    Features x = s.features(0);
    int rank = x.view().rank();
    long[] given =
        s.has(1) ? s.constant(1).asLongs() : s.attributes().integers("pads").orElseThrow();
    double value = s.has(2) ? s.constant(2).scalar() : s.attributes().number("value", 0);
    int[] axes = new int[rank];
    Arrays.setAll(axes, i -> i);
    if (s.has(3)) {
      axes = s.axes(3, rank).orElseThrow();
    }
    if (given.length != 2 * axes.length) {
      throw new IllegalArgumentException(
          "has " + given.length + " pads for " + axes.length + " axes");
    }
    int[] before = new int[rank];
    int[] after = new int[rank];
    boolean none = true;
    for (int i = 0; i < axes.length; i++) {
      before[axes[i]] = Math.toIntExact(given[i]);
      after[axes[i]] = Math.toIntExact(given[i + axes.length]);
      none &= given[i] == 0 && given[i + axes.length] == 0;
    }
    if (none) {
      s.put(s.raw(0));
      return;
    }
    Translator.Placed at = s.translator().place(x);
    if (at.layout() == View.Layout.FLAT || before[0] != 0 || after[0] != 0) {
      throw new IllegalArgumentException("pads the batch or features without height and width");
    }
    int c = at.layout().channels();
    int[] p = new int[4]; // top, left, bottom, right
    for (int i = 1; i < rank; i++) {
      int k = at.layout().spatial(i);
      if (k >= 0) {
        p[k] = before[i];
        p[2 + k] = after[i];
      }
    }
    NetworkBuilder g = s.builder();
    String y = at.node();
    if (before[c] != 0 || after[c] != 0) {
      if (!constant || value != 0 || before[c] < 0 || after[c] < 0) {
        throw new IllegalArgumentException("adds channels that are not zero, or takes some away");
      }
      boolean strided = x.sole() && g.op(y).equals(new Shortcut(stride(g.op(y)), 0, 0));
      Op op = new Shortcut(strided ? stride(g.op(y)) : 1, before[c], after[c]);
      y = g.add(s.name(), op, List.of(strided ? g.input(y) : y));
    }
    if (Arrays.stream(p).anyMatch(v -> v != 0)) {
      Border.Kind border = mode.equals("edge") ? Border.Kind.EDGE : Border.Kind.REFLECT;
      Op op =
          constant
              ? new Pad(p[0], p[1], p[2], p[3], (float) value)
              : new Border(p[0], p[1], p[2], p[3], border);
      y = g.add(s.name(), op, List.of(y));
    }
    s.put(y, at.layout());
  }

  private static int stride(Op op) {
    return op instanceof Shortcut k ? k.stride() : 0;
  }

  static void softmax(Step s, boolean log) {
    Features x = s.features(0);
    int rank = x.view().rank();
    int axis = Shapes.axis(s.attributes().integer("axis", s.opset() < 13 ? 1 : -1), rank);
    Translator.Placed at = s.translator().place(x);
    Shape shape = s.builder().shape(at.node());
    boolean single = shape.rank() == 2 || shape.dim(2) * shape.dim(3) == 1;
    if (axis != at.layout().channels() || s.opset() < 13 && !single) {
      throw new IllegalArgumentException("is not over the channels");
    }
    if (s.output(0).equals(s.translator().output())) {
      s.translator().head(log ? "LogSoftmax" : "Softmax");
      s.put(at.node(), at.layout());
    } else if (log) {
      throw new IllegalArgumentException("a log-softmax is read only as the network's output");
    } else {
      s.put(s.builder().add(s.name(), new Softmax(), List.of(at.node())), at.layout());
    }
  }
}
