package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import dev.secateur.device.ElementwiseSpec.Kind;
import dev.secateur.device.PoolSpec;
import dev.secateur.io.onnx.ConstantFolding.Fold;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/**
 * All operators that are read, a line each: what they make of constants alone, what of features, or
 * both. One that is not here is refused.
 */
final class Operators {

  /**
   * @param fold for inputs that are all constants; empty: as for features
   * @param features puts layers into the network, or notes what is known of the result; empty:
   *     constants only
   */
  private record Operator(Optional<Fold> fold, Optional<Consumer<Step>> features) {}

  private static final Map<String, Operator> ALL = new HashMap<>();

  static {
    // layers
    of("Conv", Layers::convolution);
    of("ConvTranspose", Layers::transposed);
    of("BatchNormalization", Layers::batchNorm);
    of("LayerNormalization", Layers::layerNorm);
    of("InstanceNormalization", Layers::instanceNorm);
    of("GroupNormalization", Layers::groupNorm);
    of("Gemm", Layers::gemm);
    of("MatMul", Layers::matMul);
    of("MaxPool", s -> Layers.pool(s, true));
    of("AveragePool", s -> Layers.pool(s, false));
    of("GlobalAveragePool", s -> Layers.globalPool(s, PoolSpec.Kind.AVERAGE));
    of("GlobalMaxPool", s -> Layers.globalPool(s, PoolSpec.Kind.MAX));
    of(
        "ReduceMean",
        reduced(ConstantFolding.Reduction.MEAN),
        s -> Layers.reduce(s, PoolSpec.Kind.AVERAGE));
    of(
        "ReduceMax",
        reduced(ConstantFolding.Reduction.MAX),
        s -> Layers.reduce(s, PoolSpec.Kind.MAX));
    of("ReduceSum", reduced(ConstantFolding.Reduction.SUM));
    of("ReduceSumSquare", reduced(ConstantFolding.Reduction.SUM_OF_SQUARES));
    of("ReduceL2", reduced(ConstantFolding.Reduction.L2));
    of("DepthToSpace", s -> Channels.blocks(s, true));
    of("SpaceToDepth", s -> Channels.blocks(s, false));
    of("LRN", Arithmetic::localResponseNorm);
    of("Resize", Layers::resize);
    of("Upsample", Layers::resize);
    of("Softmax", s -> Channels.softmax(s, false));
    of("LogSoftmax", s -> Channels.softmax(s, true));

    // functions of one number
    of("Relu", s -> s.function(Functions.RELU));
    of("PRelu", Arithmetic::prelu);
    of("LeakyRelu", s -> s.function(Functions.of(Kind.LEAKY_RELU, alpha(s, 0.01f), 0)));
    of("Elu", s -> s.function(Functions.of(Kind.ELU, alpha(s, 1), 0)));
    of("Clip", Arithmetic::clip);
    of("Sigmoid", s -> s.function(Functions.SIGMOID));
    of("HardSigmoid", Arithmetic::hardSigmoid);
    of("HardSwish", s -> s.function(Functions.HARD_SWISH));
    of("Tanh", s -> s.function(Functions.TANH));
    of("Softplus", s -> s.function(Functions.SOFTPLUS));
    of("Mish", s -> s.function(Functions.MISH));
    of("Gelu", Arithmetic::gelu);
    of("Erf", Arithmetic::erf);

    // arithmetic
    of("Add", binary((x, y) -> x + y, (x, y) -> x + y), Arithmetic::add);
    of("Sum", Arithmetic::sum);
    of("Sub", binary((x, y) -> x - y, (x, y) -> x - y), Arithmetic::subtract);
    of("Mul", binary((x, y) -> x * y, (x, y) -> x * y), Arithmetic::multiply);
    of("Div", binary((x, y) -> x / y, (x, y) -> x / y), Arithmetic::divide);
    of("Pow", binary(Math::pow, (x, y) -> (long) Math.pow(x, y)), Arithmetic::power);
    of("Max", binary(Math::max, Math::max), Arithmetic::bound);
    of("Min", binary(Math::min, Math::min), Arithmetic::bound);
    of("Neg", unary(x -> -x, x -> -x), Arithmetic::negate);
    of("Sqrt", unary(Math::sqrt, x -> (long) Math.sqrt(x)), Arithmetic::sqrt);
    of("Mod", binary((x, y) -> x % y, Math::floorMod));
    of("Abs", unary(Math::abs, Math::abs));
    of("Exp", unary(Math::exp, x -> (long) Math.exp(x)));
    of("Reciprocal", unary(x -> 1 / x, x -> 1 / x));
    of("Floor", unary(Math::floor, x -> x));
    of("Ceil", unary(Math::ceil, x -> x));
    of("Not", unary(x -> x == 0 ? 1 : 0, x -> x == 0 ? 1 : 0));
    of("Equal", compare((x, y) -> x == y ? 1 : 0));
    of("Less", compare((x, y) -> x < y ? 1 : 0));
    of("Greater", compare((x, y) -> x > y ? 1 : 0));
    of("And", compare((x, y) -> x != 0 && y != 0 ? 1 : 0));
    of("Or", compare((x, y) -> x != 0 || y != 0 ? 1 : 0));

    // constants and extents
    of("Constant", s -> s.put(literal(s)));
    of("ConstantOfShape", Operators::filled);
    of("Range", (c, a, in) -> c.range(in.get(0), in.get(1), in.get(2)));
    of("Shape", (c, a, in) -> ConstantFolding.part(in.get(0).dims(), a), Channels::shape);
    of(
        "Size",
        (c, a, in) -> Constant.of(new long[0], new long[] {in.get(0).size()}),
        Channels::size);
    of("Cast", (c, a, in) -> c.cast(in.get(0), a.integer("to", 1)), Channels::cast);
    of("CastLike", Channels::castLike);
    of("Where", (c, a, in) -> c.where(in.get(0), in.get(1), in.get(2)));
    of(
        "ReduceProd",
        (c, a, in) -> c.reduce(in.get(0), a.axes(in.all(), 1), a.integer("keepdims", 1) != 0));

    // channels and order
    of("Identity", (c, a, in) -> in.get(0), Channels::identity);
    of("Dropout", (c, a, in) -> in.get(0), Channels::identity);
    of("Concat", (c, a, in) -> c.concat(in, a.integer("axis", 0)), Channels::concat);
    of("Split", Channels::split);
    of(
        "Slice",
        (c, a, in) -> c.slice(in.get(0), Shapes.slices(a, in.all(), in.get(0).dims())),
        Channels::slice);
    of(
        "Gather",
        (c, a, in) -> c.gather(in.get(0), in.get(1), a.integer("axis", 0)),
        Channels::gather);
    of("Pad", Channels::pad);
    of("Expand", (c, a, in) -> c.expand(in.get(0), in.get(1).asLongs()), Channels::expand);
    of(
        "Transpose",
        (c, a, in) ->
            c.transpose(in.get(0), Shapes.permutation(a.integers("perm"), in.get(0).dims().length)),
        Channels::transpose);
    of(
        "Reshape",
        reshape((dims, a, in) -> Shapes.reshape(dims, in.get(1).asLongs(), a.flag("allowzero"))),
        Channels::reshape);
    of(
        "Flatten",
        reshape((dims, a, in) -> Shapes.flatten(dims, a.integer("axis", 1))),
        Channels::flatten);
    of(
        "Squeeze",
        reshape((dims, a, in) -> Shapes.squeeze(dims, a.axes(in.all(), 1))),
        Channels::squeeze);
    of(
        "Unsqueeze",
        reshape((dims, a, in) -> Shapes.unsqueeze(dims, a.axes(in.all(), 1))),
        Channels::unsqueeze);
  }

  private Operators() {}

  private static void of(String type, Consumer<Step> features) {
    ALL.put(type, new Operator(Optional.empty(), Optional.of(features)));
  }

  private static void of(String type, Fold fold, Consumer<Step> features) {
    ALL.put(type, new Operator(Optional.of(fold), Optional.of(features)));
  }

  private static void of(String type, Fold fold) {
    ALL.put(type, new Operator(Optional.of(fold), Optional.empty()));
  }

  /** Whether an operator of ONNX's own domain is read at all. */
  static boolean known(String type) {
    return ALL.containsKey(type);
  }

  /**
   * Reads a node of a known operator: its outputs get their values.
   *
   * @throws IllegalArgumentException saying what about the node is not read
   */
  static void read(Step s) {
    Operator operator = ALL.get(s.type());
    if (operator.fold().isPresent() && s.inputs() > 0) {
      Optional<ConstantFolding.Inputs> in = s.allConstant().map(ConstantFolding.Inputs::new);
      if (in.isPresent()) {
        s.put(operator.fold().get().of(s.translator().folding(), s.attributes(), in.get()));
        return;
      }
    }
    operator
        .features()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    s.type() + " is read only of constants, and here an input is computed"))
        .accept(s);
  }

  // ---- what is common to several ---------------------------------------------------------------

  private static float alpha(Step s, float otherwise) {
    return s.attributes().number("alpha", otherwise);
  }

  private static Fold binary(DoubleBinaryOperator real, LongBinaryOperator whole) {
    return (c, a, in) -> c.binary(in, real, whole);
  }

  private static Fold unary(DoubleUnaryOperator real, LongUnaryOperator whole) {
    return (c, a, in) -> c.unary(in.get(0), real, whole);
  }

  private static Fold reduced(ConstantFolding.Reduction how) {
    return (c, a, in) ->
        c.reduced(in.get(0), a.axes(in.all(), 1), a.integer("keepdims", 1) != 0, how);
  }

  private static Fold compare(LongBinaryOperator op) {
    return (c, a, in) -> c.compare(in.get(0), in.get(1), op);
  }

  /** New extents for a constant. */
  @FunctionalInterface
  private interface Extents {
    long[] of(long[] dims, Attributes a, ConstantFolding.Inputs in);
  }

  private static Fold reshape(Extents extents) {
    return (c, a, in) -> in.get(0).reshaped(extents.of(in.get(0).dims(), a, in));
  }

  private static void filled(Step s) {
    Optional<Constant> value = s.attributes().get("value").map(v -> s.translator().read(v.getT()));
    s.put(s.translator().folding().filled(s.constant(0), value));
  }

  private static Constant literal(Step s) {
    Attributes a = s.attributes();
    if (a.get("value").isPresent()) {
      return s.translator().read(a.get("value").get().getT());
    }
    if (a.get("value_int").isPresent()) {
      return Constant.of(new long[0], new long[] {a.integer("value_int", 0)});
    }
    if (a.get("value_float").isPresent()) {
      return Constant.of(new long[0], new float[] {a.number("value_float", 0)});
    }
    if (a.integers("value_ints").isPresent()) {
      return Constant.vector(a.integers("value_ints").get());
    }
    List<Float> f =
        a.get("value_floats")
            .map(OnnxMl.AttributeProto::getFloatsList)
            .orElseThrow(() -> new IllegalArgumentException("holds neither numbers nor a tensor"));
    float[] out = new float[f.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = f.get(i);
    }
    return Constant.of(new long[] {out.length}, out);
  }
}
