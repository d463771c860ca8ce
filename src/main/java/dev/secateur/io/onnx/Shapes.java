package dev.secateur.io.onnx;

import dev.secateur.io.Text;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** Arithmetic of extents as ONNX's operators define it. */
final class Shapes {
  private static final int HIGHEST_RANK = 16;

  private Shapes() {}

  /** A strided part of one axis: elements start, start + step, ...; the step may be negative. */
  record Slice(int axis, long start, long length, long step) {}

  /** An axis, or an index, that may count from the end. */
  static int axis(long given, int size) {
    long a = given < 0 ? given + size : given;
    if (a < 0 || a >= size) {
      throw new IllegalArgumentException("there is no " + given + " among " + size);
    }
    return (int) a;
  }

  static long product(long[] dims) {
    long n = 1;
    for (long d : dims) {
      n = Math.multiplyExact(n, d);
    }
    return n;
  }

  /** Reshape's target: 0 keeps an extent, -1 takes what is left. */
  static long[] reshape(long[] from, long[] to, boolean allowZero) {
    long[] out = rank(to);
    int open = -1;
    long known = 1;
    for (int i = 0; i < out.length; i++) {
      if (out[i] == 0 && !allowZero) {
        out[i] = from[i];
      }
      if (out[i] == -1 && open < 0) {
        open = i;
      } else if (out[i] < 0) {
        throw new IllegalArgumentException("cannot reshape to " + Text.dims(to));
      } else {
        known = Math.multiplyExact(known, out[i]);
      }
    }
    long all = product(from);
    if (open >= 0) {
      out[open] = known == 0 || all % known != 0 ? -1 : all / known;
    }
    if (Arrays.stream(out).anyMatch(d -> d < 0) || product(out) != all) {
      throw new IllegalArgumentException(
          "cannot reshape " + Text.dims(from) + " to " + Text.dims(to));
    }
    return out;
  }

  private static long[] rank(long[] dims) {
    if (dims.length > HIGHEST_RANK) {
      throw new IllegalArgumentException("a tensor of " + dims.length + " dimensions");
    }
    return dims.clone();
  }

  static long[] flatten(long[] dims, long axis) {
    int k = axis == dims.length ? dims.length : axis(axis, dims.length);
    return new long[] {
      product(Arrays.copyOf(dims, k)), product(Arrays.copyOfRange(dims, k, dims.length))
    };
  }

  static long[] unsqueeze(long[] dims, Optional<long[]> axes) {
    long[] given = axes.orElse(new long[0]);
    long[] out = new long[dims.length + given.length];
    rank(out);
    for (long a : given) {
      out[axis(a, out.length)] = 1;
    }
    int at = 0;
    for (int i = 0; i < out.length; i++) {
      if (out[i] == 0) {
        out[i] = dims[at++];
      }
    }
    return out;
  }

  /** Without axes, every extent of 1 goes. */
  static long[] squeeze(long[] dims, Optional<long[]> axes) {
    TreeSet<Integer> gone = new TreeSet<>();
    for (int i = 0; i < dims.length; i++) {
      if (axes.isEmpty() && dims[i] == 1) {
        gone.add(i);
      }
    }
    for (long a : axes.orElse(new long[0])) {
      gone.add(axis(a, dims.length));
    }
    List<Long> out = new ArrayList<>();
    for (int i = 0; i < dims.length; i++) {
      if (!gone.contains(i)) {
        out.add(dims[i]);
      } else if (dims[i] != 1) {
        throw new IllegalArgumentException("cannot squeeze an extent of " + dims[i]);
      }
    }
    return out.stream().mapToLong(Long::longValue).toArray();
  }

  static int[] permutation(Optional<long[]> given, int rank) {
    int[] out = new int[rank];
    if (given.isPresent() && given.get().length != rank) {
      throw new IllegalArgumentException("perm does not fit " + rank + " dimensions");
    }
    boolean[] seen = new boolean[rank];
    for (int i = 0; i < rank; i++) {
      out[i] = given.isPresent() ? axis(given.get()[i], rank) : rank - 1 - i;
      if (seen[out[i]]) {
        throw new IllegalArgumentException("perm names an axis twice");
      }
      seen[out[i]] = true;
    }
    return out;
  }

  static long[] broadcast(long[] a, long[] b) {
    long[] out = new long[Math.max(a.length, b.length)];
    rank(out);
    for (int i = 0; i < out.length; i++) {
      int p = i - (out.length - a.length);
      int q = i - (out.length - b.length);
      long x = p < 0 ? 1 : a[p];
      long y = q < 0 ? 1 : b[q];
      if (x != y && x != 1 && y != 1) {
        throw new IllegalArgumentException(Text.dims(a) + " and " + Text.dims(b) + " do not fit");
      }
      out[i] = x == 1 ? y : x;
    }
    return out;
  }

  /** Place in a broadcast operand of the result's element {@code i}. */
  static int source(int i, long[] dims, long[] operand) {
    long rest = i;
    long at = 0;
    long stride = 1;
    for (int d = dims.length - 1, p = operand.length - 1; p >= 0; d--, p--) {
      if (operand[p] != 1) {
        at += rest % dims[d] * stride;
      }
      stride *= operand[p];
      rest /= dims[d];
    }
    return (int) at;
  }

  static int[] index(int i, long[] dims) {
    int[] out = new int[dims.length];
    long rest = i;
    for (int d = dims.length - 1; d >= 0; d--) {
      out[d] = (int) (rest % dims[d]);
      rest /= dims[d];
    }
    return out;
  }

  static int flat(int[] index, long[] dims) {
    long at = 0;
    for (int d = 0; d < dims.length; d++) {
      at = at * dims[d] + index[d];
    }
    return Math.toIntExact(at);
  }

  /** A Slice node's parts, clamped; from attributes (opset 9) or inputs. */
  static List<Slice> slices(Attributes a, List<Optional<Constant>> in, long[] dims) {
    boolean inputs = in.size() > 1;
    long[] starts = inputs ? in.get(1).orElseThrow().asLongs() : a.integers("starts").orElseThrow();
    long[] ends = inputs ? in.get(2).orElseThrow().asLongs() : a.integers("ends").orElseThrow();
    Optional<long[]> axes = a.axes(in, 3);
    Optional<long[]> steps =
        in.size() > 4 ? in.get(4).map(Constant::asLongs) : Optional.<long[]>empty();
    List<Slice> out = new ArrayList<>();
    for (int i = 0; i < starts.length; i++) {
      int k = axis(axes.isPresent() ? axes.get()[i] : i, dims.length);
      long step = steps.isPresent() ? steps.get()[i] : 1;
      if (step == 0 || step == Long.MIN_VALUE) {
        throw new IllegalArgumentException("a step of " + step);
      }
      long size = dims[k];
      long start = clamp(starts[i], size, step < 0 ? size - 1 : size);
      long end = clamp(ends[i], size, step < 0 ? size - 1 : size);
      if (step < 0 && ends[i] < -size) {
        end = -1;
      }
      long span = step < 0 ? start - end : end - start;
      long length = span <= 0 ? 0 : (span - 1) / Math.abs(step) + 1;
      out.add(new Slice(k, start, length, step));
    }
    return out;
  }

  private static long clamp(long at, long size, long last) {
    long from = at < 0 ? Math.max(at, -size) + size : at;
    return Math.min(from, last);
  }
}
