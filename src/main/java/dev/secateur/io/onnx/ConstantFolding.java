package dev.secateur.io.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/**
 * Evaluates nodes whose inputs are all known: the chains of Shape, Gather, Unsqueeze, Concat, ...
 * around reshapes, and arithmetic on weights. What may be computed is limited, so that a small file
 * cannot fill the memory.
 */
final class ConstantFolding {
  private static final long EXTRA = 1 << 28;
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
      throw new Translator.Broken("constants computed at load grow too large");
    }
    return Math.toIntExact(n);
  }

  /** How an operator computes its result. */
  @FunctionalInterface
  interface Fold {
    Constant of(ConstantFolding folding, Attributes attributes, Inputs in);
  }

  /**
   * A node's inputs, all of them constants.
   *
   * @param all absent optional ones are empty
   */
  record Inputs(List<Optional<Constant>> all) {
    /**
     * @throws IllegalArgumentException when it is absent
     */
    Constant get(int i) {
      if (i >= all.size() || all.get(i).isEmpty()) {
        throw new IllegalArgumentException("input " + i + " is missing");
      }
      return all.get(i).get();
    }

    int size() {
      return all.size();
    }
  }

  /** A Shape node's result: all extents, or those from start to end. */
  static Constant part(long[] dims, Attributes a) {
    int n = dims.length;
    long start = Math.max(0, a.integer("start", 0) + (a.integer("start", 0) < 0 ? n : 0));
    long end = a.integer("end", n) + (a.integer("end", n) < 0 ? n : 0);
    int from = (int) Math.min(start, n);
    int to = (int) Math.max(from, Math.min(end, n));
    return Constant.vector(Arrays.copyOfRange(dims, from, to));
  }

  /** A ConstantOfShape node's result. */
  Constant filled(Constant shape, Optional<Constant> value) {
    long[] dims = shape.asLongs();
    int n = take(dims);
    Constant v = value.orElse(Constant.of(new long[] {1}, new float[] {0}));
    v.scalar();
    if (v.whole()) {
      long[] out = new long[n];
      Arrays.fill(out, v.longs()[0]);
      return Constant.of(dims, out);
    }
    float[] out = new float[n];
    Arrays.fill(out, v.floats()[0]);
    return Constant.of(dims, out);
  }

  Constant binary(Inputs in, DoubleBinaryOperator real, LongBinaryOperator whole) {
    Constant x = in.get(0);
    for (int i = 1; i < Math.max(2, in.size()); i++) {
      x = pairs(x, in.get(i), real, whole);
    }
    return x;
  }

  Constant compare(Constant x, Constant y, LongBinaryOperator op) {
    if (x.whole() != y.whole() || !x.whole()) {
      throw new IllegalArgumentException("floats are not compared");
    }
    return pairs(x, y, (p, q) -> 0, op);
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

  Constant unary(Constant x, DoubleUnaryOperator real, LongUnaryOperator whole) {
    int n = take(x.dims());
    if (x.whole()) {
      long[] out = new long[n];
      Arrays.setAll(out, i -> whole.applyAsLong(x.longs()[i]));
      return Constant.of(x.dims(), out);
    }
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) real.applyAsDouble(x.floats()[i]);
    }
    return Constant.of(x.dims(), out);
  }

  Constant cast(Constant x, long to) {
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

  Constant range(Constant from, Constant to, Constant step) {
    double count = Math.ceil((to.scalar() - from.scalar()) / step.scalar());
    if (!(count <= EXTRA)) {
      throw new IllegalArgumentException("a range of " + count + " numbers");
    }
    long[] dims = {Math.max(0, (long) count)};
    int n = take(dims);
    if (from.whole()) {
      long[] out = new long[n];
      Arrays.setAll(out, i -> from.longs()[0] + i * step.longs()[0]);
      return Constant.of(dims, out);
    }
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) (from.at(0) + i * step.at(0));
    }
    return Constant.of(dims, out);
  }

  /** y[i] = x[places[i]]. */
  private Constant pick(Constant x, long[] dims, IntUnaryOperator places) {
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

  Constant gather(Constant x, Constant indices, long axis) {
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
          int[] inner = Arrays.copyOfRange(at, k, k + rank);
          long chosen = which[Shapes.flat(inner, indices.dims())];
          int[] from = new int[x.dims().length];
          System.arraycopy(at, 0, from, 0, k);
          from[k] = Shapes.axis(chosen, Math.toIntExact(x.dims()[k]));
          System.arraycopy(at, k + rank, from, k + 1, from.length - k - 1);
          return Shapes.flat(from, x.dims());
        });
  }

  Constant concat(Inputs in, long axis) {
    Constant first = in.get(0);
    int k = Shapes.axis(axis, first.dims().length);
    long[] dims = first.dims().clone();
    dims[k] = 0;
    boolean whole = true;
    for (int i = 0; i < in.size(); i++) {
      Constant c = in.get(i);
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
      Constant c = in.get(i);
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

  Constant slice(Constant x, List<Shapes.Slice> slices) {
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

  Constant expand(Constant x, long[] to) {
    long[] dims = Shapes.broadcast(x.dims(), to);
    return pick(x, dims, i -> Shapes.source(i, dims, x.dims()));
  }

  Constant where(Constant condition, Constant x, Constant y) {
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

  /** How the numbers along some axes become one. */
  enum Reduction {
    SUM,
    MEAN,
    MAX,
    SUM_OF_SQUARES,
    L2
  }

  /**
   * @param axes none given: all
   */
  Constant reduced(Constant x, Optional<long[]> axes, boolean keep, Reduction how) {
    int rank = x.dims().length;
    boolean[] gone = new boolean[rank];
    Arrays.fill(gone, axes.isEmpty() || axes.get().length == 0);
    for (long a : axes.orElse(new long[0])) {
      gone[Shapes.axis(a, rank)] = true;
    }
    long[] kept = x.dims().clone();
    List<Long> left = new ArrayList<>();
    for (int d = 0; d < rank; d++) {
      kept[d] = gone[d] ? 1 : kept[d];
      if (!gone[d] || keep) {
        left.add(kept[d]);
      }
    }
    double[] sums = new double[take(kept)];
    Arrays.fill(sums, how == Reduction.MAX ? Double.NEGATIVE_INFINITY : 0);
    for (int i = 0; i < x.size(); i++) {
      int at = Shapes.source(i, x.dims(), kept);
      double v = x.at(i);
      sums[at] =
          switch (how) {
            case SUM, MEAN -> sums[at] + v;
            case MAX -> Math.max(sums[at], v);
            case SUM_OF_SQUARES, L2 -> sums[at] + v * v;
          };
    }
    float[] out = new float[sums.length];
    for (int i = 0; i < out.length; i++) {
      double each = (double) x.size() / out.length;
      out[i] =
          (float)
              switch (how) {
                case SUM, MAX, SUM_OF_SQUARES -> sums[i];
                case MEAN -> sums[i] / each;
                case L2 -> Math.sqrt(sums[i]);
              };
    }
    return Constant.of(left.stream().mapToLong(Long::longValue).toArray(), out);
  }

  /** The product over all elements of a vector. */
  Constant reduce(Constant x, Optional<long[]> axes, boolean keep) {
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
