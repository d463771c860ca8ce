package dev.secateur.nn;

import dev.secateur.device.ConvolutionSpec;
import dev.secateur.tensor.Shape;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Output shapes of nodes for one image. */
public final class ShapeInference {
  private ShapeInference() {}

  static Map<String, Shape> infer(List<Node> nodes) {
    Map<String, Shape> shapes = new HashMap<>();
    for (Node n : nodes) {
      List<Shape> in = n.inputs().stream().map(shapes::get).toList();
      try {
        shapes.put(n.name(), output(n.op(), in));
      } catch (IllegalArgumentException | IndexOutOfBoundsException | ArithmeticException e) {
        throw new IllegalArgumentException(
            "node " + n.name() + " (" + n.op() + ") does not fit inputs " + in, e);
      }
    }
    return shapes;
  }

  /**
   * The shape of an operation's output.
   *
   * @throws IllegalArgumentException when the inputs do not fit
   */
  public static Shape output(Op op, List<Shape> in) {
    if (op instanceof Op.Input i) {
      return Shape.of(1, i.channels(), i.height(), i.width());
    }
    Shape x = in.get(0);
    if (op instanceof Op.Convolution c) {
      check(c.spec(), x, c.outChannels());
      return Shape.of(
          1,
          c.outChannels(),
          c.spec().outHeight(x.dim(2), c.kernelH()),
          c.spec().outWidth(x.dim(3), c.kernelW()));
    }
    if (op instanceof Op.Pool p) {
      positive(Math.min(p.spec().strideH(), p.spec().strideW()));
      return Shape.of(1, x.dim(1), p.spec().outHeight(x.dim(2)), p.spec().outWidth(x.dim(3)));
    }
    if (op instanceof Op.GlobalPool) {
      return Shape.of(1, x.dim(1), 1, 1);
    }
    if (op instanceof Op.Add) {
      if (in.size() != 2 || !x.equals(in.get(1))) {
        throw new IllegalArgumentException("addends differ");
      }
      return x;
    }
    if (op instanceof Op.Multiply) {
      if (in.size() != 2 || !in.get(1).equals(x) && !in.get(1).equals(perChannel(x))) {
        throw new IllegalArgumentException("the second factor is neither alike nor (N,C,1,1)");
      }
      return x;
    }
    if (op instanceof Op.SelectChannels s) {
      for (int c : s.channels()) {
        if (c < 0 || c >= x.dim(1)) {
          throw new IllegalArgumentException("there is no channel " + c);
        }
      }
      return x.with(1, s.channels().size());
    }
    if (op instanceof Op.Pad p) {
      return Shape.of(
          1,
          x.dim(1),
          positive(x.dim(2) + p.top() + p.bottom()),
          positive(x.dim(3) + p.left() + p.right()));
    }
    if (op instanceof Op.Resize r) {
      return Shape.of(1, x.dim(1), positive(r.spec().height()), positive(r.spec().width()));
    }
    if (op instanceof Op.TransposedConvolution t) {
      ConvolutionSpec s = t.spec();
      check(s, x, t.outChannels());
      long h = (x.dim(2) - 1) * s.strideH() + s.dilationH() * (t.kernelH() - 1L) + 1 + t.extraH();
      long w = (x.dim(3) - 1) * s.strideW() + s.dilationW() * (t.kernelW() - 1L) + 1 + t.extraW();
      return Shape.of(
          1,
          t.outChannels(),
          positive(h - s.padTop() - s.padBottom()),
          positive(w - s.padLeft() - s.padRight()));
    }
    if (op instanceof Op.Concat) {
      long c = 0;
      for (Shape s : in) {
        if (!s.with(1, 1).equals(x.with(1, 1))) {
          throw new IllegalArgumentException("parts differ beside their channels");
        }
        c += s.dim(1);
      }
      return x.with(1, c);
    }
    if (op instanceof Op.Shortcut s) {
      return Shape.of(
          1,
          s.before() + x.dim(1) + s.after(),
          (x.dim(2) + s.stride() - 1) / s.stride(),
          (x.dim(3) + s.stride() - 1) / s.stride());
    }
    if (op instanceof Op.Flatten) {
      return Shape.of(1, x.elements());
    }
    if (op instanceof Op.Linear l) {
      if (x.rank() != 2) {
        throw new IllegalArgumentException("a linear layer reads a flat input");
      }
      return Shape.of(1, l.outFeatures());
    }
    if (op instanceof Op.BatchNorm
        || op instanceof Op.LayerNorm
        || op instanceof Op.Activate
        || op instanceof Op.Elementwise
        || op instanceof Op.Softmax
        || op instanceof Op.Identity) {
      return x;
    }
    throw new IllegalStateException("no shape for " + op);
  }

  private static void check(ConvolutionSpec s, Shape x, int outChannels) {
    positive(Math.min(s.strideH(), s.strideW()));
    positive(Math.min(s.dilationH(), s.dilationW()));
    if (x.dim(1) % positive(s.groups()) != 0 || outChannels % s.groups() != 0) {
      throw new IllegalArgumentException("channels are not a multiple of the groups");
    }
  }

  private static Shape perChannel(Shape x) {
    return x.rank() == 4 ? Shape.of(1, x.dim(1), 1, 1) : x;
  }

  private static long positive(long size) {
    if (size < 1) {
      throw new IllegalArgumentException(size + " is not positive");
    }
    return size;
  }
}
