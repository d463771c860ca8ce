package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import dev.secateur.SecateurException;
import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.Opaque;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.ReduceChannels;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.Softmax;
import dev.secateur.nn.op.Spread;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What every operation is in ONNX, a line each; complete, which is seen to when it is loaded. */
final class NodeWriters {
  /**
   * Writes a node.
   *
   * @param in the tensors that it reads
   */
  @FunctionalInterface
  private interface Writer<T extends Op> {
    void write(OnnxGraph g, Place n, T op);
  }

  /**
   * A node in the graph that is written.
   *
   * @param owner what the names of its parameters begin with
   * @param in tensors that it reads
   * @param y the tensor that it makes
   * @param shape of its output for one image
   * @param from the shape of its first input
   */
  private record Place(
      String name, String owner, List<String> in, String y, Shape shape, Shape from) {
    String x() {
      return in.get(0);
    }
  }

  private static final Map<Class<?>, Writer<?>> ALL = new HashMap<>();

  static {
    of(Input.class, (g, n, op) -> {}); // by whoever knows what the file's input is
    of(Convolution.class, NodeWriters::convolution);
    of(TransposedConvolution.class, NodeWriters::transposed);
    of(
        Linear.class,
        (g, n, op) ->
            g.add("Gemm", n.name(), g.with(n.in(), n.owner(), op.bias()), n.y())
                .addAttribute(OnnxGraph.integer("transB", 1)));
    of(BatchNorm.class, NodeWriters::batchNorm);
    of(LayerNorm.class, NodeWriters::layerNorm);
    of(GroupNorm.class, NodeWriters::groupNorm);
    of(Activate.class, (g, n, op) -> activation(g, n, op.activation()));
    of(Elementwise.class, (g, n, op) -> elementwise(g, n, op.spec()));
    of(Softmax.class, NodeWriters::softmax);
    of(Pool.class, NodeWriters::pool);
    of(GlobalPool.class, (g, n, op) -> plain(g, n, "Global" + poolName(op.kind())));
    of(Add.class, (g, n, op) -> plain(g, n, "Add"));
    of(Multiply.class, (g, n, op) -> plain(g, n, "Mul"));
    of(Concat.class, (g, n, op) -> along(g, n, "Concat"));
    of(SelectChannels.class, NodeWriters::select);
    of(Border.class, NodeWriters::border);
    of(
        Pad.class,
        (g, n, op) ->
            pad(
                g,
                n.name(),
                n.x(),
                sizes(g, 0, 0, op.top(), op.left(), op.bottom(), op.right()),
                op.value(),
                n.y()));
    of(Resize.class, (g, n, op) -> resize(g, n, op.spec()));
    of(Shortcut.class, NodeWriters::shortcut);
    of(Flatten.class, (g, n, op) -> along(g, n, "Flatten"));
    of(PixelShuffle.class, NodeWriters::pixelShuffle);
    of(PRelu.class, NodeWriters::prelu);
    of(LocalResponseNorm.class, NodeWriters::localResponseNorm);
    of(ReduceChannels.class, NodeWriters::reduceChannels);
    of(Spread.class, NodeWriters::spread);
    of(Unflatten.class, NodeWriters::unflatten);
    of(Opaque.class, (g, n, op) -> {}); // by what is carried along
    of(Identity.class, (g, n, op) -> plain(g, n, "Identity"));
    Op.Types.complete("NodeWriters", ALL.keySet());
  }

  private NodeWriters() {}

  private static <T extends Op> void of(Class<T> type, Writer<T> writer) {
    ALL.put(type, writer);
  }

  /** Writes a node whose result is to be the tensor that the graph has for it. */
  static void write(OnnxGraph g, Graph graph, Node n) {
    List<String> in = n.inputs().stream().map(g::value).toList();
    Shape shape = graph.shape(n.name());
    Shape from = n.inputs().isEmpty() ? shape : graph.shape(n.inputs().get(0));
    Place place = new Place(n.name(), n.owner(), in, g.value(n.name()), shape, from);
    write(ALL.get(n.op().getClass()), g, place, n.op());
  }

  @SuppressWarnings("unchecked") // the table has them by their class
  private static <T extends Op> void write(Writer<T> writer, OnnxGraph g, Place n, Op op) {
    writer.write(g, n, (T) op);
  }

  private static OnnxMl.NodeProto.Builder plain(OnnxGraph g, Place n, String type) {
    return g.add(type, n.name(), n.in(), n.y());
  }

  private static OnnxMl.NodeProto.Builder along(OnnxGraph g, Place n, String type) {
    return plain(g, n, type).addAttribute(OnnxGraph.integer("axis", 1));
  }

  /** Before opset 13 one axis means that and all behind it. */
  private static void softmax(OnnxGraph g, Place n, Softmax op) {
    boolean several = n.shape().rank() == 4 && n.shape().dim(2) * n.shape().dim(3) > 1;
    if (g.opset() >= 13 || !several) {
      along(g, n, "Softmax");
      return;
    }
    String last = g.part(n.name(), "nhwc");
    String soft = g.part(n.name(), "softmax");
    g.add("Transpose", last, n.in(), last).addAttribute(toLast(g.lines()));
    g.add("Softmax", n.name(), List.of(last), soft)
        .addAttribute(OnnxGraph.integer("axis", g.lines() ? 2 : 3));
    g.add("Transpose", g.part(n.name(), "nchw"), List.of(soft), n.y())
        .addAttribute(toFirst(g.lines()));
  }

  /** The permutation that puts the channels behind. */
  static OnnxMl.AttributeProto.Builder toLast(boolean line) {
    return line ? OnnxGraph.ints("perm", 0, 2, 1) : OnnxGraph.ints("perm", 0, 2, 3, 1);
  }

  static OnnxMl.AttributeProto.Builder toFirst(boolean line) {
    return line ? OnnxGraph.ints("perm", 0, 2, 1) : OnnxGraph.ints("perm", 0, 3, 1, 2);
  }

  private static void convolution(OnnxGraph g, Place n, Convolution c) {
    g.add("Conv", n.name(), g.with(n.in(), n.owner(), c.bias()), n.y())
        .addAllAttribute(window(g, c.kernelH(), c.kernelW(), c.spec()));
  }

  private static void transposed(OnnxGraph g, Place n, TransposedConvolution c) {
    g.add("ConvTranspose", n.name(), g.with(n.in(), n.owner(), c.bias()), n.y())
        .addAllAttribute(window(g, c.kernelH(), c.kernelW(), c.spec()))
        .addAttribute(OnnxGraph.ints("output_padding", g.spatial(c.extraH(), c.extraW())));
  }

  private static List<OnnxMl.AttributeProto> window(OnnxGraph g, int h, int w, ConvolutionSpec s) {
    long[] pads = g.pads(s.padTop(), s.padLeft(), s.padBottom(), s.padRight());
    return List.of(
        OnnxGraph.ints("kernel_shape", g.spatial(h, w)).build(),
        OnnxGraph.ints("strides", g.spatial(s.strideH(), s.strideW())).build(),
        OnnxGraph.ints("dilations", g.spatial(s.dilationH(), s.dilationW())).build(),
        OnnxGraph.ints("pads", pads).build(),
        OnnxGraph.integer("group", s.groups()).build());
  }

  private static void batchNorm(OnnxGraph g, Place n, BatchNorm b) {
    List<String> all = new ArrayList<>(n.in());
    for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
      all.add(g.parameter(n.owner() + part));
    }
    OnnxMl.NodeProto.Builder node =
        g.add("BatchNormalization", n.name(), all, n.y())
            .addAttribute(OnnxGraph.number("epsilon", b.eps()));
    if (Math.abs(b.momentum() - 0.1f) > 1e-6f) {
      node.addAttribute(OnnxGraph.number("momentum", 1 - b.momentum()));
    }
  }

  private static void pool(OnnxGraph g, Place n, Pool p) {
    PoolSpec s = p.spec();
    OnnxMl.NodeProto.Builder node =
        plain(g, n, poolName(s.kind()))
            .addAttribute(OnnxGraph.ints("kernel_shape", g.spatial(s.kernelH(), s.kernelW())))
            .addAttribute(OnnxGraph.ints("strides", g.spatial(s.strideH(), s.strideW())))
            .addAttribute(
                OnnxGraph.ints(
                    "pads", g.pads(s.padTop(), s.padLeft(), s.padBottom(), s.padRight())));
    if (s.dilated()) {
      if (s.kind() != PoolSpec.Kind.MAX && g.opset() < 19 || g.opset() < 10) {
        throw new SecateurException(
            "opset "
                + g.opset()
                + " has no pooling with dilation such as that of node "
                + n.name());
      }
      node.addAttribute(OnnxGraph.ints("dilations", g.spatial(s.dilationH(), s.dilationW())));
    }
    if (s.kind() == PoolSpec.Kind.AVERAGE_INCLUDE_PADDING) {
      node.addAttribute(OnnxGraph.integer("count_include_pad", 1));
    }
  }

  private static void select(OnnxGraph g, Place n, SelectChannels s) {
    String which = g.part(n.name(), "channels");
    g.longs(which, s.channels().stream().mapToLong(Integer::longValue).toArray());
    g.add("Gather", n.name(), List.of(n.x(), which), n.y())
        .addAttribute(OnnxGraph.integer("axis", 1));
  }

  private static void pixelShuffle(OnnxGraph g, Place n, PixelShuffle p) {
    if (p.up() && g.opset() >= 11) {
      plain(g, n, "DepthToSpace")
          .addAttribute(OnnxGraph.integer("blocksize", p.factor()))
          .addAttribute(OnnxGraph.text("mode", "CRD"));
      return;
    }
    // SpaceToDepth has channels in another order, and older opsets know that order alone
    long r = p.factor();
    Shape s = p.up() ? n.from() : n.shape();
    long c = s.dim(1) / (r * r);
    long[] split =
        p.up()
            ? new long[] {0, c, r, r, s.dim(2), s.dim(3)}
            : new long[] {0, c, s.dim(2), r, s.dim(3), r};
    long[] order = p.up() ? new long[] {0, 1, 4, 2, 5, 3} : new long[] {0, 1, 3, 5, 2, 4};
    String blocks = g.part(n.name(), "blocks");
    String turned = g.part(n.name(), "turned");
    reshape(g, blocks, n.x(), split, blocks);
    g.add("Transpose", turned, List.of(blocks), turned).addAttribute(OnnxGraph.ints("perm", order));
    reshape(
        g,
        n.name(),
        turned,
        new long[] {0, n.shape().dim(1), n.shape().dim(2), n.shape().dim(3)},
        n.y());
  }

  private static void reshape(OnnxGraph g, String name, String x, long[] to, String y) {
    String shape = g.part(name, "shape");
    g.longs(shape, to);
    g.add("Reshape", name, List.of(x, shape), y);
  }

  private static void prelu(OnnxGraph g, Place n, PRelu p) {
    String slope = n.owner() + ".weight";
    HostTensor s = g.parameterOf(slope);
    Shape wide = n.shape().rank() == 4 ? g.wide(s.shape().dim(0)) : s.shape();
    g.floats(slope, new HostTensor(wide, s.data()));
    g.add("PRelu", n.name(), List.of(n.x(), slope), n.y());
  }

  private static void localResponseNorm(OnnxGraph g, Place n, LocalResponseNorm l) {
    plain(g, n, "LRN")
        .addAttribute(OnnxGraph.integer("size", l.size()))
        .addAttribute(OnnxGraph.number("alpha", l.alpha()))
        .addAttribute(OnnxGraph.number("beta", l.beta()))
        .addAttribute(OnnxGraph.number("bias", l.bias()));
  }

  private static void reduceChannels(OnnxGraph g, Place n, ReduceChannels r) {
    String name = n.name();
    boolean max = r.kind() == PoolSpec.Kind.MAX;
    boolean scaled = !max && n.from().dim(1) != r.of();
    String y = scaled ? g.part(name, "mean") : n.y();
    String type = max ? "ReduceMax" : "ReduceMean";
    if (g.opset() >= 18) {
      String axes = g.part(name, "axes");
      g.longs(axes, 1);
      g.add(type, name, List.of(n.x(), axes), y);
    } else {
      g.add(type, name, n.in(), y).addAttribute(OnnxGraph.ints("axes", 1));
    }
    if (scaled) {
      String part = g.scalar(name, "part", (float) n.from().dim(1) / r.of());
      g.add("Mul", g.part(name, "scaled"), List.of(y, part), n.y());
    }
  }

  private static void spread(OnnxGraph g, Place n, Spread s) {
    String which = g.part(n.name(), "channels");
    g.longs(which, new long[s.channels()]);
    g.add("Gather", n.name(), List.of(n.x(), which), n.y())
        .addAttribute(OnnxGraph.integer("axis", 1));
  }

  private static void unflatten(OnnxGraph g, Place n, Unflatten u) {
    reshape(g, n.name(), n.x(), g.axes(0, n.shape().dim(1), u.height(), u.width()), n.y());
  }

  /** A pad's sizes, of channels before and after, and around the image. */
  private static long[] sizes(
      OnnxGraph g, long before, long after, long top, long left, long bottom, long right) {
    long[] front = g.axes(0, before, top, left);
    long[] back = g.axes(0, after, bottom, right);
    long[] all = Arrays.copyOf(front, 2 * front.length);
    System.arraycopy(back, 0, all, front.length, back.length);
    return all;
  }

  private static void border(OnnxGraph g, Place n, Border b) {
    long[] sizes = sizes(g, 0, 0, b.top(), b.left(), b.bottom(), b.right());
    List<String> in = new ArrayList<>(List.of(n.x()));
    if (g.opset() >= 11) {
      in.add(g.part(n.name(), "pads"));
      g.longs(g.part(n.name(), "pads"), sizes);
    }
    var node = g.add("Pad", n.name(), in, n.y());
    node.addAttribute(OnnxGraph.text("mode", b.kind().name().toLowerCase(Locale.ROOT)));
    if (g.opset() < 11) {
      node.addAttribute(OnnxGraph.ints("pads", sizes));
    }
  }

  private static void pad(OnnxGraph g, String name, String x, long[] sizes, float value, String y) {
    if (g.opset() < 11) {
      g.add("Pad", name, List.of(x), y)
          .addAttribute(OnnxGraph.ints("pads", sizes))
          .addAttribute(OnnxGraph.number("value", value));
      return;
    }
    String pads = g.part(name, "pads");
    g.longs(pads, sizes);
    List<String> in = new ArrayList<>(List.of(x, pads));
    if (value != 0) {
      in.add(g.scalar(name, "value", value));
    }
    g.add("Pad", name, in, y);
  }

  /** Written out where the opset has no node for it. */
  private static void layerNorm(OnnxGraph g, Place n, LayerNorm l) {
    boolean image = n.shape().rank() == 4;
    String name = n.name();
    String x = n.x();
    if (g.opset() < 17) {
      String weight = n.owner() + ".weight";
      String bias = n.owner() + ".bias";
      Shape wide = image ? g.wide(n.shape().dim(1)) : Shape.of(n.shape().dim(1));
      g.floats(weight, new HostTensor(wide, g.parameterOf(weight).data()));
      g.floats(bias, new HostTensor(wide, g.parameterOf(bias).data()));
      String mean = mean(g, name, "mean", x);
      String centred = step(g, "Sub", name, "centred", x, mean);
      String squared = step(g, "Mul", name, "squared", centred, centred);
      String variance = mean(g, name, "variance", squared);
      String shifted = step(g, "Add", name, "shifted", variance, g.scalar(name, "eps", l.eps()));
      String deviation = g.part(name, "deviation");
      g.add("Sqrt", deviation, List.of(shifted), deviation);
      String normalised = step(g, "Div", name, "normalised", centred, deviation);
      String scaled = step(g, "Mul", name, "scaled", normalised, weight);
      g.add("Add", name, List.of(scaled, bias), n.y());
      return;
    }
    String from = image ? g.part(name, "nhwc") : x;
    String to = image ? g.part(name, "normalised") : n.y();
    if (image) {
      g.add("Transpose", from, List.of(x), from).addAttribute(toLast(g.lines()));
    }
    g.add("LayerNormalization", name, g.with(List.of(from), n.owner(), true), to)
        .addAttribute(OnnxGraph.integer("axis", -1))
        .addAttribute(OnnxGraph.number("epsilon", l.eps()));
    if (image) {
      g.add("Transpose", g.part(name, "nchw"), List.of(to), n.y()).addAttribute(toFirst(g.lines()));
    }
  }

  /** Instance norm over what is seen as an image of groups, as PyTorch's exporter writes it. */
  private static void groupNorm(OnnxGraph g, Place n, GroupNorm op) {
    String name = n.name();
    long channels = n.shape().dim(1);
    if (op.count() == channels) {
      g.add("InstanceNormalization", name, g.with(List.of(n.x()), n.owner(), true), n.y())
          .addAttribute(OnnxGraph.number("epsilon", op.eps()));
      return;
    }
    float[] ones = new float[op.count()];
    Arrays.fill(ones, 1);
    Shape each = Shape.of(op.count());
    g.floats(g.part(name, "ones"), new HostTensor(each, ones));
    g.floats(g.part(name, "zeros"), new HostTensor(each, new float[op.count()]));
    String groups = g.part(name, "groups");
    String normed = g.part(name, "normed");
    String image = g.part(name, "image");
    reshape(g, groups, n.x(), new long[] {0, op.count(), -1}, groups);
    List<String> in = List.of(groups, g.part(name, "ones"), g.part(name, "zeros"));
    g.add("InstanceNormalization", name, in, normed)
        .addAttribute(OnnxGraph.number("epsilon", op.eps()));
    reshape(g, image, normed, g.axes(0, channels, n.shape().dim(2), n.shape().dim(3)), image);
    Shape wide = g.wide(channels);
    String weight = n.owner() + ".weight";
    String bias = n.owner() + ".bias";
    g.floats(weight, new HostTensor(wide, g.parameterOf(weight).data()));
    g.floats(bias, new HostTensor(wide, g.parameterOf(bias).data()));
    String scaled = step(g, "Mul", name, "scaled", image, weight);
    g.add("Add", g.part(name, "shifted"), List.of(scaled, bias), n.y());
  }

  private static String mean(OnnxGraph g, String name, String part, String x) {
    String y = g.part(name, part);
    g.add("ReduceMean", y, List.of(x), y).addAttribute(OnnxGraph.ints("axes", 1));
    return y;
  }

  private static String step(
      OnnxGraph g, String type, String name, String part, String a, String b) {
    String y = g.part(name, part);
    g.add(type, y, List.of(a, b), y);
    return y;
  }

  private static String poolName(PoolSpec.Kind kind) {
    return switch (kind) {
      case MAX -> "MaxPool";
      case AVERAGE, AVERAGE_INCLUDE_PADDING -> "AveragePool";
    };
  }

  /** The node that makes y; a switch expression, so that a forgotten kind does not compile. */
  private static OnnxMl.NodeProto.Builder activation(OnnxGraph g, Place n, Activation a) {
    return switch (a) {
      case NONE -> plain(g, n, "Identity");
      case RELU -> plain(g, n, "Relu");
      case RELU6 -> clip(g, n, 0, 6);
    };
  }

  /** Likewise. */
  private static OnnxMl.NodeProto.Builder elementwise(OnnxGraph g, Place n, ElementwiseSpec s) {
    String name = n.name();
    String x = n.x();
    return switch (s.kind()) {
      case LEAKY_RELU ->
          plain(g, n, "LeakyRelu").addAttribute(OnnxGraph.number("alpha", s.alpha()));
      case ELU -> plain(g, n, "Elu").addAttribute(OnnxGraph.number("alpha", s.alpha()));
      case CLIP -> clip(g, n, s.alpha(), s.beta());
      case SIGMOID -> plain(g, n, "Sigmoid");
      case HARD_SIGMOID -> hardSigmoid(g, name, n.in(), s.alpha(), s.beta(), n.y());
      case HARD_SWISH -> {
        if (g.opset() >= 14) {
          yield plain(g, n, "HardSwish");
        }
        String gate = g.part(name, "gate");
        hardSigmoid(g, gate, n.in(), 1f / 6, 0.5f, gate);
        yield g.add("Mul", name, List.of(x, gate), n.y());
      }
      case TANH -> plain(g, n, "Tanh");
      case SOFTPLUS -> plain(g, n, "Softplus");
      case MISH -> {
        if (g.opset() >= 18) {
          yield plain(g, n, "Mish");
        }
        String soft = g.part(name, "softplus");
        String gate = g.part(name, "tanh");
        g.add("Softplus", soft, n.in(), soft);
        g.add("Tanh", gate, List.of(soft), gate);
        yield g.add("Mul", name, List.of(x, gate), n.y());
      }
      case POWER -> g.add("Pow", name, List.of(x, g.scalar(name, "exponent", s.alpha())), n.y());
      case SILU -> {
        String gate = g.part(name, "sigmoid");
        g.add("Sigmoid", gate, n.in(), gate);
        yield g.add("Mul", name, List.of(x, gate), n.y());
      }
      case GELU -> {
        String scaled =
            step(g, "Mul", name, "scaled", x, g.scalar(name, "rsqrt2", (float) Math.sqrt(0.5)));
        String erf = g.part(name, "erf");
        g.add("Erf", erf, List.of(scaled), erf);
        String plus = step(g, "Add", name, "plus", erf, g.scalar(name, "one", 1));
        String product = step(g, "Mul", name, "product", x, plus);
        yield g.add("Mul", name, List.of(product, g.scalar(name, "half", 0.5f)), n.y());
      }
    };
  }

  private static OnnxMl.NodeProto.Builder hardSigmoid(
      OnnxGraph g, String name, List<String> in, float alpha, float beta, String y) {
    return g.add("HardSigmoid", name, in, y)
        .addAttribute(OnnxGraph.number("alpha", alpha))
        .addAttribute(OnnxGraph.number("beta", beta));
  }

  private static OnnxMl.NodeProto.Builder clip(OnnxGraph g, Place n, float low, float high) {
    if (g.opset() < 11) {
      return plain(g, n, "Clip")
          .addAttribute(OnnxGraph.number("min", low))
          .addAttribute(OnnxGraph.number("max", high));
    }
    String name = n.name();
    return g.add(
        "Clip",
        name,
        List.of(n.x(), g.scalar(name, "min", low), g.scalar(name, "max", high)),
        n.y());
  }

  /** Before opset 11: by scales, and with the one rule of coordinates that there was. */
  private static void upsample(OnnxGraph g, Place n, ResizeSpec s) {
    double h = (double) s.height() / n.from().dim(2);
    double w = (double) s.width() / n.from().dim(3);
    if (s.coordinates() != ResizeSpec.Coordinates.ASYMMETRIC
        || h != (float) h
        || w != (float) w
        || h < 1
        || w < 1) {
      throw new SecateurException(
          "opset " + g.opset() + " has no resizing such as that of node " + n.name());
    }
    String scales = g.part(n.name(), "scales");
    g.floats(
        scales,
        g.lines()
            ? new HostTensor(Shape.of(3), new float[] {1, 1, (float) w})
            : new HostTensor(Shape.of(4), new float[] {1, 1, (float) h, (float) w}),
        OnnxMl.TensorProto.DataType.FLOAT_VALUE);
    String mode = s.mode() == ResizeSpec.Mode.NEAREST ? "nearest" : "linear";
    g.add(g.opset() < 10 ? "Upsample" : "Resize", n.name(), List.of(n.x(), scales), n.y())
        .addAttribute(OnnxGraph.text("mode", mode));
  }

  /** By sizes, not scales, which would be rounded; the batch is taken from the input. */
  private static void resize(OnnxGraph g, Place n, ResizeSpec s) {
    if (g.opset() < 11) {
      upsample(g, n, s);
      return;
    }
    String name = n.name();
    String x = n.x();
    String y = n.y();
    String shape = g.part(name, "shape");
    String none = "";
    if (g.opset() < 13) { // where they may not be left out
      none = g.part(name, "none");
      g.nothing(none);
    }
    String images = g.part(name, "images");
    String sizes = g.part(name, "sizes");
    String range = g.part(name, "range");
    String end = g.part(name, "end");
    String size = g.part(name, "size");
    g.longs(range, 0);
    g.longs(end, 2);
    g.longs(size, g.spatial(s.height(), s.width()));
    g.add("Shape", shape, List.of(x), shape);
    g.add("Slice", images, List.of(shape, range, end), images);
    g.add("Concat", sizes, List.of(images, size), sizes).addAttribute(OnnxGraph.integer("axis", 0));
    OnnxMl.NodeProto.Builder node = g.add("Resize", name, List.of(x, none, none, sizes), y);
    node.addAttribute(
        OnnxGraph.text(
            "mode",
            switch (s.mode()) {
              case NEAREST -> "nearest";
              case BILINEAR -> "linear";
            }));
    node.addAttribute(
        OnnxGraph.text(
            "coordinate_transformation_mode",
            switch (s.coordinates()) {
              case ASYMMETRIC -> "asymmetric";
              case HALF_PIXEL -> "half_pixel";
              case ALIGN_CORNERS -> "align_corners";
            }));
    if (s.mode() == ResizeSpec.Mode.NEAREST) {
      node.addAttribute(OnnxGraph.text("nearest_mode", "floor"));
    }
  }

  private static void shortcut(OnnxGraph g, Place n, Shortcut s) {
    String name = n.name();
    String sliced = g.part(name, "slice");
    long[] steps = g.spatial(s.stride(), s.stride());
    if (g.opset() < 10) { // a slice has no steps there; pooling by a window of one has
      g.add("MaxPool", sliced, List.of(n.x()), sliced)
          .addAttribute(OnnxGraph.ints("kernel_shape", g.spatial(1, 1)))
          .addAttribute(OnnxGraph.ints("strides", steps));
    } else {
      g.longs(g.part(name, "starts"), g.spatial(0, 0));
      g.longs(g.part(name, "ends"), g.spatial(Long.MAX_VALUE, Long.MAX_VALUE));
      g.longs(g.part(name, "axes"), g.lines() ? new long[] {2} : new long[] {2, 3});
      g.longs(g.part(name, "steps"), steps);
      List<String> slice = new ArrayList<>(List.of(n.x()));
      for (String p : List.of("starts", "ends", "axes", "steps")) {
        slice.add(g.part(name, p));
      }
      g.add("Slice", sliced, slice, sliced);
    }
    pad(g, name, sliced, sizes(g, s.before(), s.after(), 0, 0, 0, 0), 0, n.y());
  }
}
