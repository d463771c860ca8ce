package dev.secateur.nn.op;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.Optional;

/**
 * What is kept of a parameter, by its first two axes.
 *
 * @param first ascending indices of axis 0
 * @param second ascending indices of axis 1; empty for all of it
 */
public record ParameterCut(int[] first, Optional<int[]> second) {

  /** Of the first axis alone. */
  public static ParameterCut first(int[] keep) {
    return new ParameterCut(keep, Optional.empty());
  }

  /** Whether something of the first axis goes. */
  public boolean cutsFirst(Shape s) {
    return first.length < s.dim(0);
  }

  /** Whether something of the second axis goes. */
  public boolean cutsSecond(Shape s) {
    return second.isPresent() && second.get().length < s.dim(1);
  }

  /** The extents of what is kept of a parameter with these. */
  public Shape of(Shape s) {
    Shape rows = s.with(0, first.length);
    return second.isPresent() ? rows.with(1, second.get().length) : rows;
  }

  /** What is kept of a parameter in Java memory; the parameter itself where all of it is. */
  public HostTensor of(HostTensor t) {
    Shape s = t.shape();
    if (!cutsFirst(s) && !cutsSecond(s)) {
      return t;
    }
    float[] out = new float[Math.toIntExact(of(s).elements())];
    int row = Math.toIntExact(s.elements() / s.dim(0));
    int at = 0;
    for (int i : first) {
      if (!cutsSecond(s)) {
        System.arraycopy(t.data(), i * row, out, at, row);
        at += row;
        continue;
      }
      int part = row / s.size(1);
      for (int j : second.get()) {
        System.arraycopy(t.data(), i * row + j * part, out, at, part);
        at += part;
      }
    }
    return new HostTensor(of(s), out);
  }
}
