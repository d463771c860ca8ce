package dev.secateur.io.onnx;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.io.Text;
import dev.secateur.io.onnx.Value.Features;
import dev.secateur.io.onnx.Value.Moment;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Convolutions, norms, linear layers, pooling, resizing. */
final class Layers {
  private Layers() {}

  // ---- windows ---------------------------------------------------------------------------------

  /** A window's strides, dilations and pads (top, left, bottom, right). */
  private record Window(int[] kernel, int[] strides, int[] dilations, int[] pads) {
    int span(int axis) {
      return dilations[axis] * (kernel[axis] - 1) + 1;
    }

    /** 1 where there is but one place. */
    int dilation(int axis) {
      return kernel[axis] == 1 ? 1 : dilations[axis];
    }

    boolean dilated() {
      return dilation(0) > 1 || dilation(1) > 1;
    }

    Window padded(int[] other) {
      return new Window(kernel, strides, dilations, other);
    }
  }

  /**
   * An attribute of height and width; of a line, of its length alone: then the height's is told.
   */
  private static int[] pair(
      Step s, View.Layout x, String name, int least, int otherwise, int height) {
    Attributes a = s.attributes();
    return x.line()
        ? new int[] {height, a.sizes(name, 1, least, otherwise)[0]}
        : a.sizes(name, 2, least, otherwise);
  }

  private static Window declared(Step s, int[] kernel, View.Layout x) {
    int[] pads = s.attributes().sizes("pads", x.line() ? 2 : 4, 0, 0);
    return new Window(
        kernel,
        pair(s, x, "strides", 1, 1, 1),
        pair(s, x, "dilations", 1, 1, 1),
        x.line() ? new int[] {0, pads[0], 0, pads[1]} : pads);
  }

  private static Window window(Step s, int[] kernel, View.Layout layout, Shape x) {
    Attributes a = s.attributes();
    Window w = declared(s, kernel, layout);
    for (int i = 0; i < 2; i++) {
      if ((long) w.dilations[i] * kernel[i] > 1 << 24) {
        throw new IllegalArgumentException("has a window of " + kernel[i]);
      }
    }
    String auto = a.text("auto_pad", "NOTSET");
    switch (auto) {
      case "", "NOTSET":
        return w;
      case "VALID":
        return w.padded(new int[4]);
      case "SAME_UPPER", "SAME_LOWER":
        int[] pads = new int[4];
        for (int i = 0; i < 2; i++) {
          long in = x.dim(2 + i);
          long out = (in + w.strides[i] - 1) / w.strides[i];
          int all = Math.toIntExact(Math.max(0, (out - 1) * w.strides[i] + w.span(i) - in));
          boolean upper = auto.equals("SAME_UPPER");
          pads[i] = upper ? all / 2 : all - all / 2;
          pads[2 + i] = all - pads[i];
        }
        return w.padded(pads);
      default:
        throw new IllegalArgumentException("has the unknown auto_pad " + Text.name(auto));
    }
  }

  /** A weight of four axes; the window of a line is of height 1. */
  private static Constant weight(Step s, View.Layout x) {
    Constant weight = s.constant(1);
    long[] d = weight.dims();
    if (d.length != x.rank()) {
      throw new IllegalArgumentException(
          "has a weight of "
              + Text.dims(d)
              + " for "
              + x
              + "; windows of one dimension are read on (N,C,L), of two on (N,C,H,W)");
    }
    return x.line() ? weight.reshaped(new long[] {d[0], d[1], 1, d[2]}) : weight;
  }

  private static int[] kernel(Step s, Constant weight, View.Layout x) {
    long[] d = weight.dims();
    int[] given = pair(s, x, "kernel_shape", 1, 0, 1);
    int[] out = {Math.toIntExact(d[2]), Math.toIntExact(d[3])};
    if (given[1] != 0 && !Arrays.equals(given, out) || Shapes.product(d) == 0) {
      throw new IllegalArgumentException("kernel_shape differs from the weight " + Text.dims(d));
    }
    return out;
  }

  private static int groups(Step s) {
    long g = s.attributes().integer("group", 1);
    if (g < 1 || g > 1 << 24) {
      throw new IllegalArgumentException("has " + g + " groups");
    }
    return (int) g;
  }

  private static ConvolutionSpec spec(Window w, int groups) {
    return new ConvolutionSpec(
        w.strides[0],
        w.strides[1],
        w.pads[0],
        w.pads[1],
        w.pads[2],
        w.pads[3],
        w.dilations[0],
        w.dilations[1],
        groups);
  }

  // ---- convolution -----------------------------------------------------------------------------

  static void convolution(Step s) {
    Translator.Placed at = s.image(0);
    String x = at.node();
    NetworkBuilder g = s.builder();
    Constant weight = weight(s, at.layout());
    Window w = window(s, kernel(s, weight, at.layout()), at.layout(), g.shape(x));
    if (g.op(x) instanceof Pad p && p.value() == 0 && lowest(p) >= 0) {
      x = g.input(x);
      int[] pads = w.pads;
      w =
          w.padded(
              new int[] {
                pads[0] + p.top(), pads[1] + p.left(), pads[2] + p.bottom(), pads[3] + p.right()
              });
    }
    int groups = groups(s);
    int filters = Math.toIntExact(weight.dims()[0]);
    if (weight.dims()[1] * groups != g.shape(x).dim(1)) {
      throw new IllegalArgumentException(
          "has a weight of "
              + Text.dims(weight.dims())
              + " for "
              + g.shape(x).dim(1)
              + " channels");
    }
    Optional<Constant> bias = s.optional(2);
    Op op = new Convolution(filters, w.kernel[0], w.kernel[1], spec(w, groups), bias.isPresent());
    String y = g.add(s.name(1), op, List.of(x));
    s.parameter(y, "weight", weight.tensor(Shape.of(weight.dims())));
    bias.ifPresent(b -> g.parameter(y, "bias", exactly(b, filters)));
    s.put(y, at.layout());
  }

  private static int lowest(Pad p) {
    return Math.min(Math.min(p.top(), p.left()), Math.min(p.bottom(), p.right()));
  }

  private static float[] exactly(Constant c, int n) {
    return c.tensor(Shape.of(n)).data().clone();
  }

  static void transposed(Step s) {
    Translator.Placed at = s.image(0);
    String x = at.node();
    NetworkBuilder g = s.builder();
    Constant weight = weight(s, at.layout());
    Shape in = g.shape(x);
    int groups = groups(s);
    Attributes a = s.attributes();
    int[] kernel = kernel(s, weight, at.layout());
    int[] extra = pair(s, at.layout(), "output_padding", 0, 0, 0);
    String auto = a.text("auto_pad", "NOTSET");
    Window w = declared(s, kernel, at.layout());
    boolean same = auto.startsWith("SAME");
    if (a.get("output_shape").isPresent() || same) {
      int[] out = pair(s, at.layout(), "output_shape", 1, 0, 1);
      int[] pads = new int[4];
      for (int i = 0; i < 2; i++) {
        long wanted = out[i] > 0 ? out[i] : in.dim(2 + i) * w.strides[i];
        long full = (in.dim(2 + i) - 1) * w.strides[i] + extra[i] + w.span(i);
        int all = Math.toIntExact(full - wanted);
        if (all < 0) {
          throw new IllegalArgumentException("cannot make an output of " + wanted);
        }
        pads[i] = auto.equals("SAME_UPPER") ? all / 2 : all - all / 2;
        pads[2 + i] = all - pads[i];
      }
      w = w.padded(pads);
    }
    int filters = Math.toIntExact(Math.multiplyExact(weight.dims()[1], groups));
    if (weight.dims()[0] != in.dim(1)) {
      throw new IllegalArgumentException(
          "has a weight of " + Text.dims(weight.dims()) + " for " + in.dim(1) + " channels");
    }
    Optional<Constant> bias = s.optional(2);
    Op op =
        new TransposedConvolution(
            filters, kernel[0], kernel[1], spec(w, groups), extra[0], extra[1], bias.isPresent());
    String y = g.add(s.name(1), op, List.of(x));
    s.parameter(y, "weight", weight.tensor(Shape.of(weight.dims())));
    bias.ifPresent(b -> g.parameter(y, "bias", exactly(b, filters)));
    s.put(y, at.layout());
  }

  // ---- norms -----------------------------------------------------------------------------------

  static void batchNorm(Step s) {
    Translator.Placed x = s.place(0);
    if (x.layout().channelsLast() || s.attributes().flag("training_mode")) {
      throw new IllegalArgumentException(
          "normalises by each batch, or a tensor that is not (N,C,...); export in eval mode");
    }
    NetworkBuilder g = s.builder();
    int n = g.shape(x.node()).size(1);
    Op op =
        new BatchNorm(
            s.attributes().number("epsilon", 1e-5f), 1 - s.attributes().number("momentum", 0.9f));
    String y = g.add(s.name(1), op, List.of(x.node()));
    List<String> parts = List.of("weight", "bias", "running_mean", "running_var");
    for (int i = 0; i < 4; i++) {
      g.parameter(y, parts.get(i), exactly(s.constant(1 + i), n));
    }
    s.put(y, x.layout());
  }

  static void layerNorm(Step s) {
    Translator.Placed x = s.place(0);
    NetworkBuilder g = s.builder();
    int rank = x.layout().rank();
    int axis = Shapes.axis(s.attributes().integer("axis", -1), rank);
    if (axis != rank - 1 || x.layout().channels() != axis) {
      throw new IllegalArgumentException("normalises over more than the channels");
    }
    int n = g.shape(x.node()).size(1);
    Op op = new LayerNorm(s.attributes().number("epsilon", 1e-5f));
    String y = g.add(s.name(1), op, List.of(x.node()));
    g.parameter(y, "weight", exactly(s.constant(1), n));
    g.parameter(y, "bias", s.optional(2).map(b -> exactly(b, n)).orElse(new float[n]));
    s.put(y, x.layout());
  }

  /**
   * Instance norm over (N,C,H,W), and over (N,G,L), as which group norm is written. Neighbouring
   * channels of the node have to be a group.
   */
  static void instanceNorm(Step s) {
    Features x = s.features(0);
    View v = x.view();
    int channels = s.builder().shape(x.node()).size(1);
    if (v.rank() < 3 || s.builder().shape(x.node()).rank() != 4) {
      throw new IllegalArgumentException("reads " + Text.dims(v.dims()) + ", no image");
    }
    int count = Math.toIntExact(v.dims()[1]);
    int[] groups = v.channelPlaces(1).orElse(new int[0]);
    boolean order = channels % count == 0 && groups.length == channels;
    for (int c = 0; order && c < channels; c++) {
      order = groups[c] == c / (channels / count);
    }
    if (!order) {
      throw new IllegalArgumentException("its groups are not of neighbouring channels");
    }
    groupNorm(
        s,
        x,
        count,
        spread(s.constant(1), count, channels),
        spread(s.constant(2), count, channels));
  }

  /** GroupNormalization: scale and bias a group in opset 18, a channel from 21 on. */
  static void groupNorm(Step s) {
    int channels = s.builder().shape(s.image(0).node()).size(1);
    long count = s.attributes().integer("num_groups", 0);
    if (count < 1 || channels % count != 0) {
      throw new IllegalArgumentException("has " + count + " groups for " + channels + " channels");
    }
    int each = s.opset() < 21 ? (int) count : channels;
    groupNorm(
        s,
        s.features(0),
        (int) count,
        spread(s.constant(1), each, channels),
        spread(s.constant(2), each, channels));
  }

  /** A number for each of some groups of neighbouring channels, as one a channel. */
  private static float[] spread(Constant c, int count, int channels) {
    float[] each = exactly(c, count);
    float[] out = new float[channels];
    for (int i = 0; i < channels; i++) {
      out[i] = each[i / (channels / count)];
    }
    return out;
  }

  private static void groupNorm(Step s, Features x, int count, float[] scale, float[] shift) {
    NetworkBuilder g = s.builder();
    Op op = new GroupNorm(count, s.attributes().number("epsilon", 1e-5f));
    String y = g.add(s.name(1), op, List.of(x.node()));
    g.parameter(y, "weight", scale);
    g.parameter(y, "bias", shift);
    s.put(new Features(y, x.view(), Optional.empty(), true));
  }

  // ---- linear ----------------------------------------------------------------------------------

  static void gemm(Step s) {
    Attributes a = s.attributes();
    if (a.flag("transA")) {
      throw new IllegalArgumentException("transposes the batch (transA)");
    }
    float alpha = a.number("alpha", 1);
    float beta = a.number("beta", 1);
    Constant b = s.constant(1);
    linear(s, a.flag("transB") ? b : turned(s, b), alpha);
    if (s.has(2)) {
      Features y = s.translator().raw(s.output(0));
      int n = s.builder().shape(y.node()).size(1);
      float[] bias = s.constant(2).vector(n);
      for (int i = 0; i < n; i++) {
        bias[i] *= beta;
      }
      String node = y.node();
      s.builder().bias(node, bias);
    }
  }

  private static Constant turned(Step s, Constant b) {
    if (b.dims().length != 2) {
      throw new IllegalArgumentException("has a weight of " + Text.dims(b.dims()));
    }
    return s.translator().folding().transpose(b, new int[] {1, 0});
  }

  /**
   * @param weight (K, C)
   */
  private static void linear(Step s, Constant weight, float alpha) {
    Features x = s.features(0);
    NetworkBuilder g = s.builder();
    long[] d = weight.dims();
    if (d.length != 2 || Shapes.product(d) == 0) {
      throw new IllegalArgumentException("has a weight of " + Text.dims(d));
    }
    if (x.view().rank() != 2 || x.view().layout().isEmpty()) {
      throw new IllegalArgumentException("reads " + Text.dims(x.view().dims()) + ", not (N,C)");
    }
    String from = s.translator().flat(x.node());
    int[] order = x.view().order(1);
    int k = Math.toIntExact(d[0]);
    if (order.length != d[1] || g.shape(from).dim(1) != d[1]) {
      throw new IllegalArgumentException(
          "has a weight of " + Text.dims(d) + " for " + order.length + " features");
    }
    float[] w = weight.asFloats();
    float[] out = new float[w.length];
    for (int i = 0; i < k; i++) {
      int row = i * order.length;
      for (int j = 0; j < order.length; j++) {
        out[row + order[j]] = alpha * w[row + j];
      }
    }
    String y = g.add(s.name(1), new Linear(k, false), List.of(from));
    s.parameter(y, "weight", new HostTensor(Shape.of(d), out));
    s.put(y, View.Layout.FLAT);
  }

  /** On (N,C) a linear layer, on (N,H,W,C) a 1x1 convolution. */
  static void matMul(Step s) {
    Features x = s.features(0);
    if (!s.isConstant(1)) {
      throw new IllegalArgumentException(
          "multiplies two computed matrices, as attention does; only constant weights are read");
    }
    Constant weight = turned(s, s.constant(1));
    if (x.view().rank() == 2) {
      linear(s, weight, 1);
      return;
    }
    Translator.Placed at = s.translator().place(x);
    NetworkBuilder g = s.builder();
    if (!at.layout().channelsLast() || g.shape(at.node()).dim(1) != weight.dims()[1]) {
      throw new IllegalArgumentException(
          "multiplies " + Text.dims(x.view().dims()) + ", whose last axis is not the channels");
    }
    int k = Math.toIntExact(weight.dims()[0]);
    Op op = new Convolution(k, 1, 1, ConvolutionSpec.of(1, 0), false);
    String y = g.add(s.name(1), op, List.of(at.node()));
    s.parameter(y, "weight", weight.tensor(Shape.of(k, weight.dims()[1], 1, 1)));
    s.put(y, at.layout());
  }

  // ---- pooling ---------------------------------------------------------------------------------

  static void pool(Step s, boolean max) {
    Attributes a = s.attributes();
    Translator.Placed at = s.image(0);
    String x = at.node();
    NetworkBuilder g = s.builder();
    Shape in = g.shape(x);
    if (a.get("kernel_shape").isEmpty()) {
      throw new IllegalArgumentException("has no kernel_shape");
    }
    Window w = window(s, pair(s, at.layout(), "kernel_shape", 1, 1, 1), at.layout(), in);
    if (w.dilated() && a.text("auto_pad", "").startsWith("SAME")) {
      throw new IllegalArgumentException(
          "has auto_pad and dilation, of which runtimes make different things; export with pads");
    }
    for (int i = 1; i < s.outputs(); i++) {
      if (!s.output(i).isEmpty() && s.translator().used(s.output(i))) {
        throw new IllegalArgumentException("the places of maxima are used");
      }
    }
    int[] more = new int[2];
    for (int i = 0; i < 2 && a.flag("ceil_mode"); i++) {
      long padded = in.dim(2 + i) + w.pads[i] + w.pads[2 + i] - w.span(i);
      long steps = Math.floorDiv(padded + w.strides[i] - 1, w.strides[i]);
      if (steps * w.strides[i] >= in.dim(2 + i) + w.pads[i]) {
        steps--; // a last window that would begin behind the image
      }
      more[i] = (int) Math.max(0, steps * w.strides[i] - padded);
    }
    boolean bare = Arrays.stream(w.pads).allMatch(p -> p == 0) && more[0] + more[1] == 0;
    if (!max
        && bare
        && !w.dilated()
        && g.op(x) instanceof Pad p
        && p.value() == 0
        && inside(p, w.kernel)) {
      int[] pads = {p.top(), p.left(), p.bottom(), p.right()};
      s.put(
          g.add(
              s.name(),
              new Pool(spec(PoolSpec.Kind.AVERAGE_INCLUDE_PADDING, w, pads)),
              List.of(g.input(x))),
          at.layout());
      return;
    }
    boolean padding = Arrays.stream(w.pads).anyMatch(p -> p > 0);
    boolean counted = padding && a.flag("count_include_pad");
    PoolSpec.Kind kind = PoolSpec.Kind.MAX;
    if (!max) {
      kind = counted ? PoolSpec.Kind.AVERAGE_INCLUDE_PADDING : PoolSpec.Kind.AVERAGE;
    }
    boolean all = w.kernel[0] == in.dim(2) && w.kernel[1] == in.dim(3) && !w.dilated();
    if (!max && all && !padding) {
      s.put(g.add(s.name(), new GlobalPool(kind), List.of(x)), at.layout());
      return;
    }
    int[] p = w.pads;
    if (counted && !max && more[0] + more[1] > 0) {
      // the given padding counts, the rows added by rounding up do not
      x = g.add(s.name() + ".pad", new Pad(p[0], p[1], p[2], p[3], 0), List.of(x));
      p = new int[4];
      kind = PoolSpec.Kind.AVERAGE;
    }
    PoolSpec spec = spec(kind, w, new int[] {p[0], p[1], p[2] + more[0], p[3] + more[1]});
    for (int i = 0; i < 2; i++) {
      if (p[i] >= w.kernel[i] || p[2 + i] >= w.kernel[i]) {
        throw new IllegalArgumentException("pads by as many as a window has places, or more");
      }
      long out = i == 0 ? spec.outHeight(in.dim(2)) : spec.outWidth(in.dim(3));
      if (w.dilated() && !inside(w, i, p[i], in.dim(2 + i), out)) {
        throw new IllegalArgumentException("has a window all of whose places are padding");
      }
    }
    s.put(g.add(s.name(), new Pool(spec), List.of(x)), at.layout());
  }

  private static PoolSpec spec(PoolSpec.Kind kind, Window w, int[] p) {
    return new PoolSpec(
        kind,
        w.kernel[0],
        w.kernel[1],
        w.strides[0],
        w.strides[1],
        p[0],
        p[1],
        p[2],
        p[3],
        w.dilation(0),
        w.dilation(1));
  }

  /** Whether each of some windows along an axis has a place of the image. */
  private static boolean inside(Window w, int axis, int pad, long size, long windows) {
    for (long i = 0; i < windows; i++) {
      long at = i * w.strides[axis] - pad;
      long d = w.dilation(axis);
      long first = at < 0 ? at + (d - 1 - at) / d * d : at;
      if (first > at + w.span(axis) - 1 || first >= size) {
        return false;
      }
    }
    return true;
  }

  private static boolean inside(Pad p, int[] kernel) {
    return lowest(p) >= 0
        && Math.max(p.top(), p.bottom()) < kernel[0]
        && Math.max(p.left(), p.right()) < kernel[1];
  }

  static void globalPool(Step s, PoolSpec.Kind kind) {
    Translator.Placed x = s.image(0);
    s.put(s.builder().add(s.name(), new GlobalPool(kind), List.of(x.node())), x.layout());
  }

  /** ReduceMean and ReduceMax: over height and width, or (layer norm) over the channels. */
  static void reduce(Step s, PoolSpec.Kind kind) {
    boolean keep = s.attributes().integer("keepdims", 1) != 0;
    if (s.value(0) instanceof Moment m) {
      int[] axes = s.axes(1, m.x().view().rank()).orElse(new int[0]);
      if (m.kind() != Moment.Kind.SQUARED || !keep || !channels(m.x().view(), axes)) {
        throw new IllegalArgumentException("is no layer norm over the channels");
      }
      s.put(new Moment(Moment.Kind.VARIANCE, m.x(), 0));
      return;
    }
    Features x = s.features(0);
    View v = x.view();
    int[] axes = s.axes(1, v.rank()).orElse(new int[0]);
    if (axes.length == 0) {
      throw new IllegalArgumentException("reduces over everything, the batch included");
    }
    if (kind == PoolSpec.Kind.AVERAGE && keep && channels(v, axes)) {
      s.put(new Moment(Moment.Kind.MEAN, x, 0));
      return;
    }
    NetworkBuilder g = s.builder();
    if (kind == PoolSpec.Kind.MAX && keep && channels(v, axes)) {
      Translator.Placed at = s.translator().place(x);
      Op op = new ReduceChannels(kind, g.shape(at.node()).size(1));
      s.put(g.add(s.name(), op, List.of(at.node())), at.layout());
      return;
    }
    Shape shape = g.shape(x.node());
    long h = 1;
    long w = 1;
    for (int a : axes) {
      if (!v.spatial(a)) {
        throw new IllegalArgumentException("reduces over channels or images");
      }
      h *= v.extent(a, View.Axis.H);
      w *= v.extent(a, View.Axis.W);
    }
    String y = x.node();
    if (h * w > 1) {
      boolean rows = h == shape.dim(2);
      boolean columns = w == shape.dim(3);
      if (rows && columns) {
        y = g.add(s.name(), new GlobalPool(kind), List.of(y));
      } else if ((rows || h == 1) && (columns || w == 1)) {
        PoolSpec spec = new PoolSpec(kind, (int) h, (int) w, 1, 1, 0, 0, 0, 0);
        y = g.add(s.name(), new Pool(spec), List.of(y));
      } else {
        throw new IllegalArgumentException("reduces over a part of height or width");
      }
      v = v.over(g.shape(y));
    }
    if (!keep) {
      List<Long> dims = new ArrayList<>();
      for (int i = 0; i < v.rank(); i++) {
        int axis = i;
        if (Arrays.stream(axes).noneMatch(a -> a == axis)) {
          dims.add(v.dims()[i]);
        }
      }
      v = v.reshape(dims.stream().mapToLong(Long::longValue).toArray()).orElseThrow();
    }
    s.put(new Features(y, v, Optional.empty(), true));
  }

  private static boolean channels(View v, int[] axes) {
    return axes.length == 1 && axes[0] > 0 && v.covers(axes[0], View.Axis.C) && !v.spatial(axes[0]);
  }

  // ---- resizing --------------------------------------------------------------------------------

  static void resize(Step s) {
    Attributes a = s.attributes();
    Translator.Placed from = s.image(0);
    String x = from.node();
    NetworkBuilder g = s.builder();
    Shape in = g.shape(x);
    boolean old = s.opset() < 11;
    int at = old ? 1 : 2;
    int rank = from.layout().rank();
    int[] axes = {0, 1, 2, 3};
    if (a.integers("axes").isPresent()) {
      axes = Arrays.stream(a.integers("axes").get()).mapToInt(v -> Shapes.axis(v, rank)).toArray();
    }
    if (rank == 3) {
      axes = Arrays.stream(axes).limit(3).map(v -> v == 2 ? 3 : v).toArray();
    }
    double[] scale = {1, 1, 1, 1};
    long[] out = in.toArray();
    Optional<Constant> scales = s.optional(at).filter(c -> c.size() > 0);
    Optional<Constant> sizes = s.optional(3).filter(c -> c.size() > 0);
    for (int i = 0; i < axes.length; i++) {
      if (scales.isPresent()) {
        scale[axes[i]] = scales.get().at(i);
        out[axes[i]] = (long) Math.floor(in.dim(axes[i]) * scale[axes[i]] + 1e-9);
      } else if (sizes.isPresent()) {
        out[axes[i]] = axes[i] == 0 ? 1 : sizes.get().asLongs()[i];
        scale[axes[i]] = (double) out[axes[i]] / in.dim(axes[i]);
      } else {
        throw new IllegalArgumentException("has neither scales nor sizes");
      }
    }
    if (scale[0] != 1 || out[1] != in.dim(1)) {
      throw new IllegalArgumentException("resizes images or channels");
    }
    if (out[2] == in.dim(2) && out[3] == in.dim(3)) {
      s.put(x, from.layout());
      return;
    }
    ResizeSpec spec =
        new ResizeSpec(
            Math.toIntExact(out[2]),
            Math.toIntExact(out[3]),
            mode(a),
            coordinates(s, in, out, scale));
    s.put(g.add(s.name(), new Resize(spec), List.of(x)), from.layout());
  }

  private static ResizeSpec.Mode mode(Attributes a) {
    String mode = a.text("mode", "nearest");
    return switch (mode) {
      case "nearest" -> ResizeSpec.Mode.NEAREST;
      case "linear", "bilinear" -> ResizeSpec.Mode.BILINEAR;
      default ->
          throw new IllegalArgumentException("resizes by " + Text.name(mode) + " interpolation");
    };
  }

  private static ResizeSpec.Coordinates coordinates(Step s, Shape in, long[] out, double[] scale) {
    Attributes a = s.attributes();
    String given =
        s.opset() < 11 ? "asymmetric" : a.text("coordinate_transformation_mode", "half_pixel");
    if (a.flag("antialias") || !a.text("keep_aspect_ratio_policy", "stretch").equals("stretch")) {
      throw new IllegalArgumentException("resizes with antialias or keeps the aspect ratio");
    }
    boolean exact = true;
    boolean whole = true;
    boolean single = false;
    for (int i = 2; i < 4; i++) {
      exact &= Math.abs(scale[i] * in.dim(i) - out[i]) < 1e-3;
      whole &= out[i] % in.dim(i) == 0;
      single |= out[i] == 1;
    }
    if (!exact && !given.equals("align_corners")) {
      throw new IllegalArgumentException("has scales that give no whole size; give sizes");
    }
    if (mode(a) == ResizeSpec.Mode.NEAREST) {
      String rounding = s.opset() < 11 ? "floor" : a.text("nearest_mode", "round_prefer_floor");
      boolean centred = given.endsWith("half_pixel") && rounding.startsWith("round") && whole;
      if (given.equals("asymmetric") && rounding.equals("floor") || centred) {
        return ResizeSpec.Coordinates.ASYMMETRIC;
      }
      if (!rounding.equals("floor")) {
        throw new IllegalArgumentException(
            "resizes to the nearest pixel by " + Text.name(given + ", " + rounding));
      }
    }
    return switch (given) {
      case "asymmetric" -> ResizeSpec.Coordinates.ASYMMETRIC;
      case "half_pixel" -> ResizeSpec.Coordinates.HALF_PIXEL;
      case "align_corners" -> ResizeSpec.Coordinates.ALIGN_CORNERS;
      case "pytorch_half_pixel" -> {
        if (single) {
          throw new IllegalArgumentException("resizes to one pixel by pytorch_half_pixel");
        }
        yield ResizeSpec.Coordinates.HALF_PIXEL;
      }
      default -> throw new IllegalArgumentException("resizes with coordinates " + Text.name(given));
    };
  }
}
