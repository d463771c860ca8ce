package dev.secateur.io.pytorch;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.io.onnx.Lines;
import dev.secateur.io.onnx.OnnxImport;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.FilterBank;
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
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A network as the source of a plain PyTorch module, whose state dict has the network's parameters
 * under their names; for PyTorch from 1.12 on. Pixels from 0 to 255 go in, float (N,C,H,W), or
 * (N,C,L) of a network that came so ({@link Lines}), and are normalised inside.
 */
public final class ModuleWriter {
  private static final String HEAD =
      """
      import json
      import pathlib

      import numpy
      import torch
      import torch.nn as nn
      import torch.nn.functional as F


      def _put(root, path, module):
          *parents, last = path.split(".")
          for name in parents:
              if not hasattr(root, name):
                  root.add_module(name, nn.Module())
              root = getattr(root, name)
          root.add_module(last, module)


      class _Scale(nn.Module):
          \"""(pixel - mean) / std.\"""

          def __init__(self, *shape):
              super().__init__()
              self.register_buffer("mean", torch.zeros(shape))
              self.register_buffer("std", torch.ones(shape))

          def forward(self, x):
              wide = self.mean.shape + (1,) * (x.dim() - 1 - self.mean.dim())
              return (x - self.mean.view(wide)) / self.std.view(wide)

      """;

  private static final String FOOT =
      """


      def load(file=None):
          \"""The network with its weights, from the .safetensors file beside this one.\"""
          file = pathlib.Path(file or pathlib.Path(__file__).with_suffix(".safetensors"))
          data = file.read_bytes()
          length = int.from_bytes(data[:8], "little")
          state = {}
          for name, t in json.loads(data[8 : 8 + length]).items():
              if name != "__metadata__":
                  first, last = (8 + length + at for at in t["data_offsets"])
                  values = numpy.frombuffer(data[first:last], "<f4").copy()
                  state[name] = torch.from_numpy(values.reshape(t["shape"]))
          net = Net()
          missing, unexpected = net.load_state_dict(state, strict=False)
          missing = [name for name in missing if not name.endswith("num_batches_tracked")]
          if missing or unexpected:
              raise ValueError(f"{file} does not fit: missing {missing}, unexpected {unexpected}")
          return net.eval()
      """;

  /** Writes what a node computes: an expression of its inputs, and its module where it has one. */
  @FunctionalInterface
  private interface Writer<T extends Op> {
    String write(Place n, T op);
  }

  /** A node on its way into the source. */
  private record Place(
      String name,
      String owner,
      List<String> in,
      List<Shape> from,
      Shape to,
      boolean line,
      List<String> modules) {
    /** Height and width, or the length alone. */
    String pair(Object height, Object width) {
      return line ? width.toString() : "(" + height + ", " + width + ")";
    }

    /** "2d", or what it is of a line. */
    String dimensions() {
      return line ? "1d" : "2d";
    }

    /** The sizes of F.pad around an image. */
    String around(long left, long right, long top, long bottom) {
      return "(" + left + ", " + right + (line ? "" : ", " + top + ", " + bottom) + ")";
    }

    /** The axes of an image behind its channels. */
    String spatial() {
      return line ? "2" : "(2, 3)";
    }

    String x() {
      return in.get(0);
    }

    long channels() {
      return from.get(0).dim(1);
    }

    /** Registers a module under the name of its parameters, and gives the call of it. */
    String module(String constructor, String input) {
      String line = "_put(self, \"" + owner + "\", ";
      if (modules.stream().noneMatch((line + constructor + ")")::equals)) {
        if (modules.stream().anyMatch(m -> m.startsWith(line))) {
          throw refused(this, "one weight in layers of several geometries");
        }
        modules.add(line + constructor + ")");
      }
      return "m(\"" + owner + "\")(" + input + ")";
    }
  }

  private static final Map<Class<?>, Writer<?>> ALL = new HashMap<>();

  static {
    of(Input.class, (n, op) -> n.x());
    of(Convolution.class, ModuleWriter::convolution);
    of(TransposedConvolution.class, ModuleWriter::transposed);
    of(
        Linear.class,
        (n, op) ->
            n.module(
                "nn.Linear("
                    + n.channels()
                    + ", "
                    + op.outFeatures()
                    + ", bias="
                    + truth(op.bias())
                    + ")",
                n.x()));
    of(
        BatchNorm.class,
        (n, op) ->
            n.module(
                "nn.BatchNorm"
                    + (n.to().rank() == 4 ? n.dimensions() : "1d")
                    + "("
                    + n.channels()
                    + ", eps="
                    + op.eps()
                    + ", momentum="
                    + op.momentum()
                    + ")",
                n.x()));
    of(
        LayerNorm.class,
        (n, op) -> {
          String module = "nn.LayerNorm(" + n.channels() + ", eps=" + op.eps() + ")";
          if (n.line() && n.to().rank() == 4) {
            return n.module(module, n.x() + ".transpose(1, 2)") + ".transpose(1, 2)";
          }
          return n.to().rank() == 4
              ? n.module(module, n.x() + ".permute(0, 2, 3, 1)") + ".permute(0, 3, 1, 2)"
              : n.module(module, n.x());
        });
    of(
        GroupNorm.class,
        (n, op) ->
            n.module(
                "nn.GroupNorm(" + op.count() + ", " + n.channels() + ", eps=" + op.eps() + ")",
                n.x()));
    of(
        Activate.class,
        (n, op) ->
            switch (op.activation()) {
              case NONE -> n.x();
              case RELU -> "F.relu(" + n.x() + ")";
              case RELU6 -> "F.relu6(" + n.x() + ")";
            });
    of(Elementwise.class, (n, op) -> elementwise(n.x(), op.spec()));
    of(Softmax.class, (n, op) -> "F.softmax(" + n.x() + ", 1)");
    of(Pool.class, (n, op) -> pool(n, op.spec()));
    of(
        GlobalPool.class,
        (n, op) ->
            op.kind() == PoolSpec.Kind.MAX
                ? n.x() + ".amax(" + n.spatial() + ", keepdim=True)"
                : n.x() + ".mean(" + n.spatial() + ", keepdim=True)");
    of(Add.class, (n, op) -> n.in().get(0) + " + " + n.in().get(1));
    of(Multiply.class, (n, op) -> n.in().get(0) + " * " + n.in().get(1));
    of(
        Concat.class,
        (n, op) ->
            "torch.cat((" + String.join(", ", n.in()) + (n.in().size() == 1 ? ",), 1)" : "), 1)"));
    of(SelectChannels.class, (n, op) -> n.x() + "[:, " + select(op.channels()) + "]");
    of(
        Border.class,
        (n, op) ->
            "F.pad("
                + n.x()
                + ", "
                + n.around(op.left(), op.right(), op.top(), op.bottom())
                + ", mode="
                + (op.kind() == Border.Kind.REFLECT ? "\"reflect\"" : "\"replicate\"")
                + ")");
    of(
        Pad.class,
        (n, op) ->
            padded(n, n.x(), op.left(), op.right(), op.top(), op.bottom(), number(op.value())));
    of(Resize.class, (n, op) -> resize(n, op.spec()));
    of(
        Shortcut.class,
        (n, op) ->
            "F.pad("
                + n.x()
                + "[:, :, ::"
                + op.stride()
                + (n.line() ? "], (0, 0, " : ", ::" + op.stride() + "], (0, 0, 0, 0, ")
                + op.before()
                + ", "
                + op.after()
                + "))");
    of(Flatten.class, (n, op) -> "torch.flatten(" + n.x() + ", 1)");
    of(
        PixelShuffle.class,
        (n, op) ->
            (op.up() ? "F.pixel_shuffle(" : "F.pixel_unshuffle(")
                + n.x()
                + ", "
                + op.factor()
                + ")");
    of(PRelu.class, (n, op) -> n.module("nn.PReLU(" + n.channels() + ")", n.x()));
    of(LocalResponseNorm.class, ModuleWriter::localResponseNorm);
    of(
        ReduceChannels.class,
        (n, op) ->
            op.kind() == PoolSpec.Kind.MAX
                ? n.x() + ".amax(1, keepdim=True)"
                : n.x() + ".sum(1, keepdim=True) / " + op.of());
    of(
        Spread.class,
        (n, op) -> n.x() + ".expand(-1, " + op.channels() + (n.line() ? ", -1)" : ", -1, -1)"));
    of(
        Unflatten.class,
        (n, op) ->
            n.x()
                + ".reshape(-1, "
                + n.to().dim(1)
                + ", "
                + (n.line() ? "" : op.height() + ", ")
                + op.width()
                + ")");
    of(
        Opaque.class,
        (n, op) -> {
          throw new IllegalArgumentException("is carried along"); // such a network is refused
        });
    of(Identity.class, (n, op) -> n.x());
    Op.Types.complete("ModuleWriter", ALL.keySet());
  }

  private ModuleWriter() {}

  private static <T extends Op> void of(Class<T> type, Writer<T> writer) {
    ALL.put(type, writer);
  }

  /**
   * The source, which defines {@code Net} and {@code load()}.
   *
   * @throws SecateurException for what PyTorch has no function for, naming the node
   */
  public static String source(Model model) {
    Graph graph = model.graph();
    boolean line = Lines.in(model);
    List<String> modules = new ArrayList<>();
    List<String> lines = new ArrayList<>();
    Map<String, String> values = new HashMap<>();
    Node input = graph.input();
    HostTensor mean = model.parameters().get(input.name() + ".mean");
    String shape = (line ? Lines.parameter(mean) : mean).shape().toString().replace("x", ", ");
    modules.add("_put(self, \"" + input.name() + "\", _Scale(" + shape + "))");
    lines.add("x0 = m(\"" + input.name() + "\")(x)");
    values.put(input.name(), "x0");
    for (Node n : graph.nodes()) {
      if (n == input) {
        continue;
      }
      List<String> in = n.inputs().stream().map(values::get).toList();
      List<Shape> from = n.inputs().stream().map(graph::shape).toList();
      Place place = new Place(n.name(), n.owner(), in, from, graph.shape(n.name()), line, modules);
      String value = "x" + values.size();
      lines.add(value + " = " + write(ALL.get(n.op().getClass()), place, n.op()));
      values.put(n.name(), value);
    }
    String result = values.get(graph.output().name());
    String head = model.metadata().getOrDefault(OnnxImport.HEAD, "");
    if (!head.isEmpty()) {
      result = (head.startsWith("Log") ? "F.log_softmax(" : "F.softmax(") + result + ", 1)";
    }
    return "\"\"\""
        + title(model)
        + " as a PyTorch module, written by Secateur. Images are float (N, "
        + graph
            .shape(input.name())
            .toString()
            .replaceFirst(line ? "^1x(\\d+)x1x" : "^1x", line ? "$1x" : "")
            .replace("x", ", ")
        + "), pixels from 0 to 255.\"\"\"\n"
        + HEAD
        + "\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + indented(modules)
        + "\n    def forward(self, x):\n        m = self.get_submodule\n"
        + indented(lines)
        + "        return "
        + result
        + "\n"
        + FOOT;
  }

  private static String title(Model model) {
    Map<String, String> m = model.metadata();
    String name = m.getOrDefault("architecture", m.getOrDefault("source", "A network"));
    return name.replaceAll("[\"\\\\\\p{Cntrl}]", "");
  }

  private static String indented(List<String> lines) {
    return lines.stream().map(l -> "        " + l + "\n").collect(Collectors.joining());
  }

  @SuppressWarnings("unchecked") // the table has them by their class
  private static <T extends Op> String write(Writer<T> writer, Place n, Op op) {
    return writer.write(n, (T) op);
  }

  private static String truth(boolean b) {
    return b ? "True" : "False";
  }

  private static String number(float v) {
    return Float.isInfinite(v) ? "float(\"" + (v > 0 ? "inf" : "-inf") + "\")" : Float.toString(v);
  }

  // ---- layers ----------------------------------------------------------------------------------

  private static boolean even(ConvolutionSpec s) {
    return s.padTop() == s.padBottom() && s.padLeft() == s.padRight();
  }

  private static String window(Place n, FilterBank f, String padding) {
    ConvolutionSpec s = f.spec();
    return n.channels()
        + ", "
        + f.outChannels()
        + ", "
        + n.pair(f.kernelH(), f.kernelW())
        + ", stride="
        + n.pair(s.strideH(), s.strideW())
        + ", padding="
        + padding
        + ", dilation="
        + n.pair(s.dilationH(), s.dilationW())
        + ", groups="
        + s.groups()
        + ", bias="
        + truth(f.bias());
  }

  private static String convolution(Place n, Convolution c) {
    ConvolutionSpec s = c.spec();
    boolean even = even(s);
    String x =
        even
            ? n.x()
            : padded(n, n.x(), s.padLeft(), s.padRight(), s.padTop(), s.padBottom(), "0.0");
    String padding = even ? n.pair(s.padTop(), s.padLeft()) : "0";
    return n.module("nn.Conv" + n.dimensions() + "(" + window(n, c, padding) + ")", x);
  }

  private static String transposed(Place n, TransposedConvolution t) {
    ConvolutionSpec s = t.spec();
    boolean even = even(s);
    String module =
        "nn.ConvTranspose"
            + n.dimensions()
            + "("
            + window(n, t, even ? n.pair(s.padTop(), s.padLeft()) : "0")
            + ", output_padding="
            + n.pair(t.extraH(), t.extraW())
            + ")";
    String y = n.module(module, n.x());
    return even ? y : padded(n, y, -s.padLeft(), -s.padRight(), -s.padTop(), -s.padBottom(), "0.0");
  }

  private static String padded(
      Place n, String x, int left, int right, int top, int bottom, String value) {
    return "F.pad(" + x + ", " + n.around(left, right, top, bottom) + ", value=" + value + ")";
  }

  private static String pool(Place n, PoolSpec s) {
    String x = n.x();
    boolean bare = s.padTop() + s.padBottom() + s.padLeft() + s.padRight() == 0;
    boolean max = s.kind() == PoolSpec.Kind.MAX;
    if (s.dilated() && !max) {
      throw refused(n, "an average pool with dilation");
    }
    String window =
        n.pair(s.kernelH(), s.kernelW())
            + ", "
            + n.pair(s.strideH(), s.strideW())
            + (s.dilated() ? ", dilation=" + n.pair(s.dilationH(), s.dilationW()) + ")" : ")");
    String average = "F.avg_pool" + n.dimensions() + "(";
    String f = max ? "F.max_pool" + n.dimensions() + "(" : average;
    if (bare) {
      return f + x + ", " + window;
    }
    String wide =
        padded(
            n,
            x,
            s.padLeft(),
            s.padRight(),
            s.padTop(),
            s.padBottom(),
            max ? "float(\"-inf\")" : "0.0");
    String y = f + wide + ", " + window;
    if (s.kind() != PoolSpec.Kind.AVERAGE) {
      return y;
    }
    String ones =
        padded(
            n,
            "torch.ones_like(" + x + ")",
            s.padLeft(),
            s.padRight(),
            s.padTop(),
            s.padBottom(),
            "0.0");
    return y + " / " + average + ones + ", " + window; // of what is inside alone
  }

  private static String select(List<Integer> channels) {
    int first = channels.get(0);
    for (int i = 0; i < channels.size(); i++) {
      if (channels.get(i) != first + i) {
        return channels.toString();
      }
    }
    return first + ":" + (first + channels.size());
  }

  private static String resize(Place n, ResizeSpec s) {
    String size = "F.interpolate(" + n.x() + ", " + n.pair(s.height(), s.width()) + ", mode=";
    if (s.mode() == ResizeSpec.Mode.NEAREST
        && s.coordinates() == ResizeSpec.Coordinates.ASYMMETRIC) {
      return size + "\"nearest\")";
    }
    if (s.mode() == ResizeSpec.Mode.BILINEAR
        && s.coordinates() != ResizeSpec.Coordinates.ASYMMETRIC) {
      boolean corners = s.coordinates() == ResizeSpec.Coordinates.ALIGN_CORNERS;
      String mode = n.line() ? "linear" : "bilinear";
      return size + "\"" + mode + "\", align_corners=" + truth(corners) + ")";
    }
    throw refused(n, "resizing " + s.mode() + " with coordinates " + s.coordinates());
  }

  /** Windows of an even number of channels lie elsewhere there. */
  private static String localResponseNorm(Place n, LocalResponseNorm l) {
    if (l.size() % 2 == 0) {
      throw refused(n, "a local response norm over " + l.size() + " channels");
    }
    return "F.local_response_norm("
        + n.x()
        + ", "
        + l.size()
        + ", alpha="
        + l.alpha()
        + ", beta="
        + l.beta()
        + ", k="
        + l.bias()
        + ")";
  }

  private static SecateurException refused(Place n, String what) {
    return new SecateurException(
        "node "
            + n.name()
            + ": PyTorch has no function for "
            + what.toLowerCase(Locale.ROOT).replace('_', ' ')
            + "; export to ONNX");
  }

  /** A switch expression, so that a forgotten function does not compile. */
  private static String elementwise(String x, ElementwiseSpec s) {
    return switch (s.kind()) {
      case LEAKY_RELU -> "F.leaky_relu(" + x + ", " + s.alpha() + ")";
      case ELU -> "F.elu(" + x + ", " + s.alpha() + ")";
      case CLIP -> x + ".clamp(" + number(s.alpha()) + ", " + number(s.beta()) + ")";
      case SIGMOID -> "torch.sigmoid(" + x + ")";
      case HARD_SIGMOID -> "(" + s.alpha() + " * " + x + " + " + s.beta() + ").clamp(0, 1)";
      case HARD_SWISH -> "F.hardswish(" + x + ")";
      case SILU -> "F.silu(" + x + ")";
      case GELU -> "F.gelu(" + x + ")";
      case TANH -> "torch.tanh(" + x + ")";
      case SOFTPLUS -> "F.softplus(" + x + ")";
      case MISH -> "F.mish(" + x + ")";
      case POWER -> x + " ** " + s.alpha();
    };
  }
}
