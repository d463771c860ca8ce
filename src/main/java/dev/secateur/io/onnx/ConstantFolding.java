package dev.secateur.io.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/**
 * Evaluates nodes whose inputs are all known: the chains of Shape, Gather, Unsqueeze, Concat, ...
 * around reshapes, and arithmetic on weights. What may be computed is limited, so that a small file
 * cannot fill the memory.
 */
final class ConstantFolding {
  private static final long EXTRA = 1 << 22;
  private long budget;

  /**
   * @param fileBytes results may have about as many numbers in all
   */
  ConstantFolding(long fileBytes) {
    this.budget = fileBytes + EXTRA;
  }

  /** Product of extents, charged to the budget. */
  private int take(long[] dims) {
    long n = 1;
    for (long d : dims) {
      if (d < 0) {
        throw new IllegalArgumentException("an extent would be " + d);
      }
      n = Math.multiplyExact(n, d);
    }
    budget -= n;
    if (budget < 0) {
      throw new IllegalArgumentException("constants computed at load grow too large");
    }
    return Math.toIntExact(n);
  }

  /**
   * @param in inputs, all constant; absent optional ones are empty
   * @return empty for an operator that is not evaluated
   */
  Optional<Constant> evaluate(Attributes a, List<Optional<Constant>> in, int opset) {
    String type = a.node().getOpType();
    switch (type) {
      case "Add":
        return binary(in, (x, y) -> x + y, (x, y) -> x + y);
      case "Sub":
        return binary(in, (x, y) -> x - y, (x, y) -> x - y);
      case "Mul":
        return binary(in, (x, y) -> x * y, (x, y) -> x * y);
      case "Div":
        return binary(in, (x, y) -> x / y, (x, y) -> x / y);
      case "Mod":
        return binary(in, (x, y) -> x % y, Math::floorMod);
      case "Pow":
        return binary(in, Math::pow, (x, y) -> (long) Math.pow(x, y));
      case "Max":
        return binary(in, Math::max, Math::max);
      case "Min":
        return binary(in, Math::min, Math::min);
      case "Equal":
        return compare(in, (x, y) -> x == y ? 1 : 0);
      case "Less":
        return compare(in, (x, y) -> x < y ? 1 : 0);
      case "Greater":
        return compare(in, (x, y) -> x > y ? 1 : 0);
      case "And":
        return compare(in, (x, y) -> x != 0 && y != 0 ? 1 : 0);
      case "Or":
        return compare(in, (x, y) -> x != 0 || y != 0 ? 1 : 0);
      case "Not":
        return unary(in, x -> x == 0 ? 1 : 0, x -> x == 0 ? 1 : 0);
      case "Neg":
        return unary(in, x -> -x, x -> -x);
      case "Abs":
        return unary(in, Math::abs, Math::abs);
      case "Sqrt":
        return unary(in, Math::sqrt, x -> (long) Math.sqrt(x));
      case "Exp":
        return unary(in, Math::exp, x -> (long) Math.exp(x));
      case "Reciprocal":
        return unary(in, x -> 1 / x, x -> 1 / x);
      case "Floor":
        return unary(in, Math::floor, x -> x);
      case "Ceil":
        return unary(in, Math::ceil, x -> x);
      case "Identity", "Dropout":
        return in.get(0);
      case "Cast":
        return Optional.of(cast(get(in, 0), a.integer("to", 1)));
      case "Shape":
        return Optional.of(part(get(in, 0).dims(), a));
      case "Size":
        return Optional.of(Constant.of(new long[0], new long[] {get(in, 0).size()}));
      case "ConstantOfShape":
        throw new IllegalStateException("evaluated where its value attribute is read");
      case "Range":
        return Optional.of(range(get(in, 0), get(in, 1), get(in, 2)));
      case "Reshape":
        return Optional.of(
            get(in, 0)
                .reshaped(
                    Shapes.reshape(get(in, 0).dims(), get(in, 1).asLongs(), a.flag("allowzero"))));
      case "Flatten":
        return Optional.of(
            get(in, 0).reshaped(Shapes.flatten(get(in, 0).dims(), a.integer("axis", 1))));
      case "Unsqueeze":
        return Optional.of(
            get(in, 0).reshaped(Shapes.unsqueeze(get(in, 0).dims(), axes(a, in, 1))));
      case "Squeeze":
        return Optional.of(get(in, 0).reshaped(Shapes.squeeze(get(in, 0).dims(), axes(a, in, 1))));
      case "Transpose":
        return Optional.of(
            transpose(
                get(in, 0), Shapes.permutation(a.integers("perm"), get(in, 0).dims().length)));
      case "Gather":
        return Optional.of(gather(get(in, 0), get(in, 1), a.integer("axis", 0)));
      case "Concat":
        return Optional.of(concat(in, a.integer("axis", 0)));
      case "Slice":
        return Optional.of(slice(get(in, 0), Shapes.slices(a, in, get(in, 0).dims())));
      case "Expand":
        return Optional.of(expand(get(in, 0), get(in, 1).asLongs()));
      case "Where":
        return Optional.of(where(get(in, 0), get(in, 1), get(in, 2)));
      case "ReduceProd":
        return Optional.of(reduce(get(in, 0), axes(a, in, 1), a.integer("keepdims", 1) != 0));
      default:
        return Optional.empty();
    }
  }

  private static Constant get(List<Optional<Constant>> in, int i) {
    if (i >= in.size() || in.get(i).isEmpty()) {
      throw new IllegalArgumentException("input " + i + " is missing");
    }
    return in.get(i).get();
  }

  /** Axes from the attribute (older opsets) or an input; empty: none given. */
  static Optional<long[]> axes(Attributes a, List<Optional<Constant>> in, int input) {
    Optional<long[]> given = a.integers("axes");
    return given.isPresent() || input >= in.size() ? given : in.get(input).map(Constant::asLongs);
  }

  /** A Shape node's result: all extents, or those from start to end. */
  static Constant part(long[] dims, Attributes a) {
    int n = dims.length;
    long start = Math.max(0, a.integer("start", 0) + (a.integer("start", 0) < 0 ? n : 0));
    long end = a.integer("end", n) + (a.integer("end", n) < 0 ? n : 0);
    int from = (int) Math.min(start, n);
    int to = (int) Math.max(from, Math.min(end, n));
    return Constant.vector(java.util.Arrays.copyOfRange(dims, from, to));
  }

  /** A ConstantOfShape node's result. */
  Constant filled(Constant shape, Optional<Constant> value) {
    long[] dims = shape.asLongs();
    int n = take(dims);
    Constant v = value.orElse(Constant.of(new long[] {1}, new float[] {0}));
    v.scalar();
    if (v.whole()) {
      long[] out = new long[n];
      java.util.Arrays.fill(out, v.longs()[0]);
      return Constant.of(dims, out);
    }
    float[] out = new float[n];
    java.util.Arrays.fill(out, v.floats()[0]);
    return Constant.of(dims, out);
  }

  private Optional<Constant> binary(
      List<Optional<Constant>> in, DoubleBinaryOperator real, LongBinaryOperator whole) {
    Constant x = get(in, 0);
    for (int i = 1; i < Math.max(2, in.size()); i++) {
      x = pairs(x, get(in, i), real, whole);
    }
    return Optional.of(x);
  }

  private Optional<Constant> compare(List<Optional<Constant>> in, LongBinaryOperator op) {
    Constant x = get(in, 0);
    Constant y = get(in, 1);
    if (x.whole() != y.whole() || !x.whole()) {
      throw new IllegalArgumentException("floats are not compared");
    }
    return Optional.of(pairs(x, y, (p, q) -> 0, op));
  }

  private Constant pairs(
      Constant x, Constant y, DoubleBinaryOperator real, LongBinaryOperator whole) {
    long[] dims = Shapes.broadcast(x.dims(), y.dims());
    int n = take(dims);
    boolean longs = x.whole() && y.whole();
    long[] l = new long[longs ? n : 0];
    float[] f = new float[longs ? 0 : n];
    for (int i = 0; i < n; i++) {
      int p = Shapes.source(i, dims, x.dims());
      int q = Shapes.source(i, dims, y.dims());
      if (longs) {
        l[i] = whole.applyAsLong(x.longs()[p], y.longs()[q]);
      } else {
        f[i] = (float) real.applyAsDouble(x.at(p), y.at(q));
      }
    }
    return longs ? Constant.of(dims, l) : Constant.of(dims, f);
  }

  private Optional<Constant> unary(
      List<Optional<Constant>> in, DoubleUnaryOperator real, LongUnaryOperator whole) {
    Constant x = get(in, 0);
    int n = take(x.dims());
    if (x.whole()) {
      long[] out = new long[n];
      java.util.Arrays.setAll(out, i -> whole.applyAsLong(x.longs()[i]));
      return Optional.of(Constant.of(x.dims(), out));
    }
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) real.applyAsDouble(x.floats()[i]);
    }
    return Optional.of(Constant.of(x.dims(), out));
  }

  private Constant cast(Constant x, long to) {
    boolean real = to == 1 || to == 10 || to == 11 || to == 16;
    if (real == !x.whole()) {
      return x;
    }
    int n = take(x.dims());
    if (real) {
      return Constant.of(x.dims(), x.asFloats());
    }
    long[] out = new long[n];
    for (int i = 0; i < n; i++) {
      out[i] = to == 9 ? (x.floats()[i] != 0 ? 1 : 0) : (long) x.floats()[i];
    }
    return Constant.of(x.dims(), out);
  }

  private Constant range(Constant from, Constant to, Constant step) {
    double count = Math.ceil((to.scalar() - from.scalar()) / step.scalar());
    if (!(count <= EXTRA)) {
      throw new IllegalArgumentException("a range of " + count + " numbers");
    }
    long[] dims = {Math.max(0, (long) count)};
    int n = take(dims);
    if (from.whole()) {
      long[] out = new long[n];
      java.util.Arrays.setAll(out, i -> from.longs()[0] + i * step.longs()[0]);
      return Constant.of(dims, out);
    }
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) (from.at(0) + i * step.at(0));
    }
    return Constant.of(dims, out);
  }

  /** y[i] = x[places[i]]. */
  private Constant pick(Constant x, long[] dims, java.util.function.IntUnaryOperator places) {
    int n = take(dims);
    long[] l = new long[x.whole() ? n : 0];
    float[] f = new float[x.whole() ? 0 : n];
    for (int i = 0; i < n; i++) {
      int p = places.applyAsInt(i);
      if (x.whole()) {
        l[i] = x.longs()[p];
      } else {
        f[i] = x.floats()[p];
      }
    }
    return new Constant(dims, f, l, x.whole());
  }

  Constant transpose(Constant x, int[] order) {
    long[] in = x.dims();
    long[] dims = new long[in.length];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = in[order[i]];
    }
    return pick(
        x,
        dims,
        i -> {
          int[] at = Shapes.index(i, dims);
          int[] from = new int[at.length];
          for (int k = 0; k < at.length; k++) {
            from[order[k]] = at[k];
          }
          return Shapes.flat(from, in);
        });
  }

  private Constant gather(Constant x, Constant indices, long axis) {
    int k = Shapes.axis(axis, x.dims().length);
    long[] which = indices.asLongs();
    List<Long> dims = new ArrayList<>();
    int rank = indices.dims().length;
    for (int i = 0; i < x.dims().length; i++) {
      if (i == k) {
        for (long d : indices.dims()) {
          dims.add(d);
        }
      } else {
        dims.add(x.dims()[i]);
      }
    }
    long[] out = dims.stream().mapToLong(Long::longValue).toArray();
    return pick(
        x,
        out,
        i -> {
          int[] at = Shapes.index(i, out);
          int[] inner = java.util.Arrays.copyOfRange(at, k, k + rank);
          long chosen = which[Shapes.flat(inner, indices.dims())];
          int[] from = new int[x.dims().length];
          System.arraycopy(at, 0, from, 0, k);
          from[k] = Shapes.axis(chosen, Math.toIntExact(x.dims()[k]));
          System.arraycopy(at, k + rank, from, k + 1, from.length - k - 1);
          return Shapes.flat(from, x.dims());
        });
  }

  private Constant concat(List<Optional<Constant>> in, long axis) {
    Constant first = get(in, 0);
    int k = Shapes.axis(axis, first.dims().length);
    long[] dims = first.dims().clone();
    dims[k] = 0;
    boolean whole = true;
    for (int i = 0; i < in.size(); i++) {
      Constant c = get(in, i);
      whole &= c.whole();
      if (c.dims().length != dims.length) {
        throw new IllegalArgumentException("parts of different rank");
      }
      for (int d = 0; d < dims.length; d++) {
        if (d == k) {
          dims[k] += c.dims()[k];
        } else if (c.dims()[d] != dims[d]) {
          throw new IllegalArgumentException("parts of different extents");
        }
      }
    }
    int n = take(dims);
    long[] l = new long[whole ? n : 0];
    float[] f = new float[whole ? 0 : n];
    long inner = 1;
    for (int d = k + 1; d < dims.length; d++) {
      inner *= dims[d];
    }
    int start = 0;
    int stride = (int) (dims[k] * inner);
    for (int i = 0; i < in.size(); i++) {
      Constant c = get(in, i);
      int run = (int) (c.dims()[k] * inner);
      for (int j = 0; j < c.size(); j++) {
        int to = start + j / run * stride + j % run;
        if (whole) {
          l[to] = c.longs()[j];
        } else {
          f[to] = (float) c.at(j);
        }
      }
      start += run;
    }
    return new Constant(dims, f, l, whole);
  }

  private Constant slice(Constant x, List<Shapes.Slice> slices) {
    long[] dims = x.dims().clone();
    slices.forEach(s -> dims[s.axis()] = s.length());
    return pick(
        x,
        dims,
        i -> {
          int[] at = Shapes.index(i, dims);
          for (Shapes.Slice s : slices) {
            at[s.axis()] = Math.toIntExact(s.start() + at[s.axis()] * s.step());
          }
          return Shapes.flat(at, x.dims());
        });
  }

  private Constant expand(Constant x, long[] to) {
    long[] dims = Shapes.broadcast(x.dims(), to);
    return pick(x, dims, i -> Shapes.source(i, dims, x.dims()));
  }

  private Constant where(Constant condition, Constant x, Constant y) {
    long[] dims = Shapes.broadcast(condition.dims(), Shapes.broadcast(x.dims(), y.dims()));
    int n = take(dims);
    boolean whole = x.whole() && y.whole();
    long[] l = new long[whole ? n : 0];
    float[] f = new float[whole ? 0 : n];
    for (int i = 0; i < n; i++) {
      Constant from = condition.at(Shapes.source(i, dims, condition.dims())) != 0 ? x : y;
      int p = Shapes.source(i, dims, from.dims());
      if (whole) {
        l[i] = from.longs()[p];
      } else {
        f[i] = (float) from.at(p);
      }
    }
    return new Constant(dims, f, l, whole);
  }

  /** The product over all elements of a vector. */
  private Constant reduce(Constant x, Optional<long[]> axes, boolean keep) {
    if (x.dims().length != 1 || !x.whole() || axes.filter(a -> a.length > 1).isPresent()) {
      throw new IllegalArgumentException("only a vector of whole numbers is multiplied up");
    }
    long product = 1;
    for (long v : x.longs()) {
      product = Math.multiplyExact(product, v);
    }
    return Constant.of(keep ? new long[] {1} : new long[0], new long[] {product});
  }
}
