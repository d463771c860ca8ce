package dev.secateur.io.onnx;

import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.device.ResizeSpec;
import dev.secateur.io.Text;
import dev.secateur.io.onnx.Value.Affine;
import dev.secateur.io.onnx.Value.Features;
import dev.secateur.io.onnx.Value.Moment;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.LocalResponseNorm;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.Spread;
import dev.secateur.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Sums, products and functions of numbers. */
final class Arithmetic {
  private static final double ROOT_HALF = Math.sqrt(0.5);

  private Arithmetic() {}

  // ---- functions of one number -----------------------------------------------------------------

  static void clip(Step s) {
    double low = s.has(1) ? s.constant(1).scalar() : s.attributes().number("min", -Float.MAX_VALUE);
    double high = s.has(2) ? s.constant(2).scalar() : s.attributes().number("max", Float.MAX_VALUE);
    clip(s, low, high);
  }

  private static void clip(Step s, double low, double high) {
    if (low == 0 && high == 6) {
      s.function(Functions.RELU6);
    } else if (low == 0 && high >= Float.MAX_VALUE) {
      s.function(Functions.RELU);
    } else {
      s.function(Functions.of(Kind.CLIP, finite(low), finite(high)));
    }
  }

  private static float finite(double v) {
    return (float) Math.max(-Float.MAX_VALUE, Math.min(Float.MAX_VALUE, v));
  }

  /** Max and Min with a number. */
  static void bound(Step s) {
    int constant = s.inputs() == 2 && s.isConstant(0) ? 0 : 1;
    if (s.inputs() != 2 || !s.isConstant(constant) || s.constant(constant).size() != 1) {
      throw new IllegalArgumentException("only a bound by one number is read");
    }
    double bound = s.constant(constant).scalar();
    if (constant == 0) {
      throw new IllegalArgumentException("the number must be the second input");
    }
    boolean max = s.type().equals("Max");
    clip(s, max ? bound : -Float.MAX_VALUE, max ? Float.MAX_VALUE : bound);
  }

  static void hardSigmoid(Step s) {
    float alpha = s.attributes().number("alpha", 0.2f);
    float beta = s.attributes().number("beta", 0.5f);
    boolean sixth = Math.abs(alpha - 1f / 6) < 1e-6 && beta == 0.5f;
    s.function(sixth ? Functions.HARD_SIGMOID : Functions.of(Kind.HARD_SIGMOID, alpha, beta));
  }

  /**
   * relu(x) + slope min(x, 0): a leaky ReLU where all slopes are equal, else slopes that training
   * changes and surgery cuts.
   */
  static void prelu(Step s) {
    Features x = s.features(0);
    double[] slope = perChannel(s, x, s.constant(1));
    if (Arrays.stream(slope).allMatch(v -> v == slope[0])) {
      s.function(Functions.of(Kind.LEAKY_RELU, (float) slope[0], 0));
      return;
    }
    String y = s.builder().add(s.name(1), new PRelu(), List.of(x.node()));
    float[] weight = new float[slope.length];
    for (int i = 0; i < weight.length; i++) {
      weight[i] = (float) slope[i];
    }
    s.builder().parameter(y, "weight", weight);
    s.put(new Features(y, x.view(), Optional.empty(), true));
  }

  static void localResponseNorm(Step s) {
    Attributes a = s.attributes();
    long size = a.integer("size", 0);
    if (size < 1 || size > 1 << 16) {
      throw new IllegalArgumentException("has a size of " + size);
    }
    Op op =
        new LocalResponseNorm(
            (int) size, a.number("alpha", 1e-4f), a.number("beta", 0.75f), a.number("bias", 1));
    Translator.Placed x = s.image(0);
    s.put(s.builder().add(s.name(), op, List.of(x.node())), x.layout());
  }

  static void gelu(Step s) {
    if (!s.attributes().text("approximate", "none").equals("none")) {
      throw new IllegalArgumentException("GELU's approximation by tanh is not supported");
    }
    s.function(Functions.GELU);
  }

  static void erf(Step s) {
    Features x = s.raw(0);
    if (x.affine().flatMap(Affine::factor).filter(f -> Math.abs(f - ROOT_HALF) < 1e-4).isEmpty()) {
      throw new IllegalArgumentException("erf is read only as a part of GELU: erf(x / sqrt 2)");
    }
    Features whole = new Features(x.node(), x.view(), Optional.empty(), false);
    s.put(new Value.Erf(whole, 0, 1));
  }

  static void sqrt(Step s) {
    if (s.value(0) instanceof Moment m && m.kind() == Moment.Kind.VARIANCE) {
      s.put(new Moment(Moment.Kind.DEVIATION, m.x(), m.eps()));
    } else {
      throw new IllegalArgumentException("a square root is read only as a part of layer norm");
    }
  }

  static void power(Step s) {
    if (s.constant(1).scalar() != 2) {
      throw new IllegalArgumentException("only the power of 2 is read");
    }
    square(s);
  }

  private static void square(Step s) {
    if (s.value(0) instanceof Moment m && m.kind() == Moment.Kind.CENTRED) {
      s.put(new Moment(Moment.Kind.SQUARED, m.x(), 0));
    } else {
      Features x = s.features(0);
      String y = s.builder().add(s.name(), new Multiply(), List.of(x.node(), x.node()));
      s.put(new Features(y, x.view(), Optional.empty(), true));
    }
  }

  static void negate(Step s) {
    Features x = s.raw(0);
    s.put(then(s, x, Affine.uniform(channels(s, x), -1, 0)));
  }

  // ---- two operands ----------------------------------------------------------------------------

  static void add(Step s) {
    if (s.isConstant(0) || s.isConstant(1)) {
      withConstant(s, 1, 1);
      return;
    }
    join(s, s.features(0), s.features(1), new Add());
  }

  /** Sum of any number of inputs. */
  static void sum(Step s) {
    Features x = s.features(0);
    for (int i = 1; i < s.inputs(); i++) {
      x = joined(s, x, s.features(i), new Add());
    }
    s.put(x);
  }

  static void subtract(Step s) {
    if (s.isConstant(0) || s.isConstant(1)) {
      boolean first = s.isConstant(0);
      withConstant(s, first ? -1 : 1, first ? 1 : -1);
      return;
    }
    if (s.value(1) instanceof Moment m
        && m.kind() == Moment.Kind.MEAN
        && s.features(0).sameAs(m.x())) {
      s.put(new Moment(Moment.Kind.CENTRED, m.x(), 0));
      return;
    }
    Features y = s.features(1);
    Features minus =
        s.translator()
            .settle(
                new Features(
                    y.node(),
                    y.view(),
                    Optional.of(Affine.uniform(channels(s, y), -1, 0)),
                    y.sole()));
    join(s, s.features(0), minus, new Add());
  }

  static void multiply(Step s) {
    if (s.isConstant(0) || s.isConstant(1)) {
      scaled(s, s.isConstant(0) ? 1 : 0, s.constant(s.isConstant(0) ? 0 : 1), false);
      return;
    }
    for (int i = 0; i < 2; i++) {
      if (s.value(i) instanceof Value.Erf e) {
        gelu(s, e, s.raw(1 - i));
        return;
      }
    }
    if (s.value(0) instanceof Moment && s.value(0).equals(s.value(1))) {
      square(s);
      return;
    }
    Features a = s.features(0);
    Features b = s.features(1);
    NetworkBuilder builder = s.builder();
    for (int i = 0; i < 2; i++) {
      Features x = i == 0 ? a : b;
      Features gate = i == 0 ? b : a;
      Op op = builder.op(gate.node());
      boolean own = x.view().alike(gate.view()) && !(op instanceof Input);
      if (own && builder.input(gate.node()).equals(x.node())) {
        boolean silu = op.equals(Functions.SIGMOID);
        if (silu || op.equals(Functions.HARD_SIGMOID)) {
          Op product = silu ? Functions.SILU : Functions.HARD_SWISH;
          String y = builder.add(s.name(), product, List.of(x.node()));
          s.put(new Features(y, x.view(), Optional.empty(), true));
          return;
        }
      }
    }
    for (int i = 0; i < 2; i++) {
      Features x = i == 0 ? a : b;
      Features gate = i == 0 ? b : a;
      if (x.view().alike(gate.view()) && softened(builder, gate.node(), x.node())) {
        String y = builder.add(s.name(), Functions.MISH, List.of(x.node()));
        s.put(new Features(y, x.view(), Optional.empty(), true));
        return;
      }
    }
    join(s, a, b, new Multiply());
  }

  /** Whether a node is tanh(softplus(x)). */
  private static boolean softened(NetworkBuilder g, String gate, String x) {
    return g.op(gate).equals(Functions.TANH)
        && g.op(g.input(gate)).equals(Functions.SOFTPLUS)
        && g.input(g.input(gate)).equals(x);
  }

  /** x times plus + erf(x / sqrt 2), where the factors' constants make it c GELU(x). */
  private static void gelu(Step s, Value.Erf e, Features x) {
    Optional<Double> factor = x.affine().isEmpty() ? Optional.of(1.0) : x.affine().get().factor();
    boolean same = x.node().equals(e.x().node()) && x.view().alike(e.x().view());
    if (e.plus() != 1 || factor.isEmpty() || !same) {
      throw new IllegalArgumentException("erf is read only as a part of GELU: x (1 + erf(...))");
    }
    String y = s.builder().add(s.name(), Functions.GELU, List.of(x.node()));
    double scale = 2 * factor.get() * e.scale();
    Affine a = Affine.uniform(channels(s, x), scale, 0);
    s.put(new Features(y, x.view(), Optional.of(a), true));
  }

  static void divide(Step s) {
    if (s.isConstant(1)) {
      scaled(s, 0, s.constant(1), true);
      return;
    }
    if (s.value(0) instanceof Moment x
        && s.value(1) instanceof Moment d
        && x.kind() == Moment.Kind.CENTRED
        && d.kind() == Moment.Kind.DEVIATION
        && x.x().sameAs(d.x())) {
      String y = s.builder().add(s.name(), new LayerNorm((float) d.eps()), List.of(x.x().node()));
      float[] one = new float[channels(s, x.x())];
      Arrays.fill(one, 1);
      s.builder().parameter(y, "weight", one);
      s.builder().parameter(y, "bias", new float[one.length]);
      s.put(new Features(y, x.x().view(), Optional.empty(), true));
      return;
    }
    throw new IllegalArgumentException(
        "a quotient is read only by a constant or as a part of layer norm over the channels");
  }

  // ---- with a constant -------------------------------------------------------------------------

  /** y = sign x + constantSign c. */
  private static void withConstant(Step s, double sign, double constantSign) {
    int at = s.isConstant(0) ? 1 : 0;
    Constant c = s.constant(1 - at);
    if (s.value(at) instanceof Value.Erf e && sign == 1) {
      s.put(new Value.Erf(e.x(), e.plus() + constantSign * c.scalar() / e.scale(), e.scale()));
      return;
    }
    if (s.value(at) instanceof Moment m && m.kind() == Moment.Kind.VARIANCE && sign == 1) {
      s.put(new Moment(m.kind(), m.x(), m.eps() + constantSign * c.scalar()));
      return;
    }
    Features x = s.raw(at);
    double[] shift = perChannel(s, x, c);
    double[] scale = new double[shift.length];
    for (int i = 0; i < shift.length; i++) {
      scale[i] = sign;
      shift[i] *= constantSign;
    }
    s.put(then(s, x, new Affine(scale, shift)));
  }

  private static void scaled(Step s, int at, Constant c, boolean inverse) {
    if (s.value(at) instanceof Value.Erf e) {
      double by = inverse ? 1 / c.scalar() : c.scalar();
      s.put(new Value.Erf(e.x(), e.plus(), e.scale() * by));
      return;
    }
    Features x = s.raw(at);
    double[] scale = perChannel(s, x, c);
    for (int i = 0; inverse && i < scale.length; i++) {
      scale[i] = 1 / scale[i];
    }
    s.put(then(s, x, new Affine(scale, new double[scale.length])));
  }

  private static int channels(Step s, Features x) {
    return s.builder().shape(x.node()).size(1);
  }

  private static Features then(Step s, Features x, Affine a) {
    Affine all = x.affine().map(before -> before.then(a)).orElse(a);
    return new Features(x.node(), x.view(), Optional.of(all), x.sole());
  }

  /** A constant broadcast over features, as one number a channel. */
  private static double[] perChannel(Step s, Features x, Constant c) {
    double[] out = new double[channels(s, x)];
    if (c.size() == 1 && c.dims().length <= x.view().rank()) {
      Arrays.fill(out, c.at(0));
      return out;
    }
    long[] dims = x.view().dims();
    int missing = dims.length - c.dims().length;
    int[] at = new int[out.length];
    for (int i = 0; i < c.dims().length; i++) {
      long d = c.dims()[i];
      if (missing < 0 || d != 1 && d != dims[i + missing]) {
        throw new IllegalArgumentException(
            "a constant of " + Text.dims(c.dims()) + " on features of " + Text.dims(dims));
      }
      Optional<int[]> places = x.view().channelPlaces(i + missing);
      if (d > 1 && places.isEmpty()) {
        throw new IllegalArgumentException(
            "a constant of " + Text.dims(c.dims()) + " that varies within a channel");
      }
      for (int k = 0; k < at.length; k++) {
        at[k] = (int) (at[k] * d) + (d > 1 ? places.get()[k] : 0);
      }
    }
    for (int k = 0; k < out.length; k++) {
      out[k] = c.at(at[k]);
    }
    return out;
  }

  // ---- of two features -------------------------------------------------------------------------

  private static void join(Step s, Features a, Features b, Op op) {
    s.put(joined(s, a, b, op));
  }

  private static Features joined(Step s, Features a, Features b, Op op) {
    NetworkBuilder g = s.builder();
    if (a.view().alike(b.view())) {
      String y = g.add(s.name(), op, List.of(a.node(), b.node()));
      return new Features(y, a.view(), Optional.empty(), true);
    }
    Translator t = s.translator();
    Translator.Placed x = t.place(a);
    Translator.Placed y = t.place(b);
    Shape p = g.shape(x.node());
    Shape q = g.shape(y.node());
    if (x.layout() != y.layout()) {
      throw new IllegalArgumentException("its inputs have different layouts");
    }
    if (p.rank() == 4
        && q.rank() == 4
        && p.dim(1) != q.dim(1)
        && Math.min(p.dim(1), q.dim(1)) == 1) {
      // a gate of one channel
      boolean second = q.dim(1) == 1;
      int wide = second ? p.size(1) : q.size(1);
      Translator.Placed gate = second ? y : x;
      Op spread = new Spread(wide);
      gate =
          new Translator.Placed(
              g.add(s.name() + ".spread", spread, List.of(gate.node())), gate.layout());
      x = second ? x : gate;
      y = second ? gate : y;
      p = g.shape(x.node());
      q = g.shape(y.node());
      if (p.equals(q)) {
        return t.features(
            new Translator.Placed(g.add(s.name(), op, List.of(x.node(), y.node())), x.layout()));
      }
    }
    if (!p.equals(q) && p.rank() == 4) {
      boolean swap = p.dim(2) * p.dim(3) == 1;
      Translator.Placed large = swap ? y : x;
      Translator.Placed small = swap ? x : y;
      Shape wide = g.shape(large.node());
      Shape narrow = g.shape(small.node());
      if (narrow.dim(1) != wide.dim(1) || narrow.dim(2) * narrow.dim(3) != 1) {
        throw new IllegalArgumentException(
            "its inputs " + p + " and " + q + " differ by more than one number a channel");
      }
      String right = small.node();
      if (op instanceof Add) {
        ResizeSpec spread =
            new ResizeSpec(
                wide.size(2),
                wide.size(3),
                ResizeSpec.Mode.NEAREST,
                ResizeSpec.Coordinates.ASYMMETRIC);
        right = g.add(s.name() + ".spread", new Resize(spread), List.of(right));
      }
      String z = g.add(s.name(), op, List.of(large.node(), right));
      return t.features(new Translator.Placed(z, large.layout()));
    }
    String z = g.add(s.name(), op, List.of(x.node(), y.node()));
    return t.features(new Translator.Placed(z, x.layout()));
  }
}
