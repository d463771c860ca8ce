package dev.secateur.prune;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.prune.criterion.Importance;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Filters that are to go or have gone, as pruning indices: by convolution in the graph's order,
 * ascending, before the removal. Filters that are coupled with these need not be listed.
 */
public final class Removal {
  public static final Removal NONE = new Removal(Map.of());

  private final Map<String, int[]> filters;

  /**
   * @param filters ascending indices by convolution
   */
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public Removal(Map<String, int[]> filters) {
    this.filters = Collections.unmodifiableMap(new LinkedHashMap<>(filters));
  }

  /** By convolution; not to be changed. */
  @JsonValue
  public Map<String, int[]> filters() {
    return filters;
  }

  /** Of one convolution; empty where it loses none. */
  public int[] of(String convolution) {
    return filters.getOrDefault(convolution, new int[0]);
  }

  /** The filters that stay of a convolution of so many, ascending. */
  int[] left(String convolution, int width) {
    int[] gone = of(convolution);
    return IntStream.range(0, width).filter(f -> Arrays.binarySearch(gone, f) < 0).toArray();
  }

  /** Importance of a network's filters for the network after this removal. */
  Importance restrict(Importance all) {
    Map<String, float[]> out = new LinkedHashMap<>(all.byFilter());
    for (String convolution : filters.keySet()) {
      float[] before = all.byFilter().get(convolution);
      int[] left = left(convolution, before.length);
      float[] after = new float[left.length];
      for (int i = 0; i < left.length; i++) {
        after[i] = before[left[i]];
      }
      out.put(convolution, after);
    }
    return new Importance(all.criterion(), out);
  }

  /** The other way round: what went matters nothing. */
  Importance extend(Importance left) {
    Map<String, float[]> out = new LinkedHashMap<>(left.byFilter());
    filters.forEach(
        (convolution, gone) -> {
          float[] after = left.byFilter().get(convolution);
          float[] before = new float[after.length + gone.length];
          int[] at = left(convolution, before.length);
          for (int i = 0; i < at.length; i++) {
            before[at[i]] = after[i];
          }
          out.put(convolution, before);
        });
    return new Importance(left.criterion(), out);
  }

  /**
   * This removal and another behind it as one.
   *
   * @param next indices in what this one leaves
   * @param before the network that this one is of
   */
  Removal then(Removal next, Graph before) {
    if (isEmpty() || next.isEmpty()) {
      return isEmpty() ? next : this;
    }
    Map<String, int[]> out = new LinkedHashMap<>();
    for (Node n : before.nodes()) {
      int[] first = of(n.name());
      int[] second = next.of(n.name());
      if (first.length + second.length > 0) {
        int[] left = left(n.name(), before.shape(n.name()).size(1));
        IntStream later = IntStream.of(second).map(f -> left[f]);
        out.put(n.name(), IntStream.concat(IntStream.of(first), later).sorted().toArray());
      }
    }
    return new Removal(out);
  }

  /** This removal and another of other layers of the same network as one. */
  Removal beside(Removal other) {
    Map<String, int[]> out = new LinkedHashMap<>(filters);
    out.putAll(other.filters);
    return new Removal(out);
  }

  public boolean isEmpty() {
    return filters.isEmpty();
  }

  /** Filters of all convolutions. */
  public int size() {
    return filters.values().stream().mapToInt(f -> f.length).sum();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Removal r
        && filters.keySet().equals(r.filters.keySet())
        && filters.entrySet().stream().allMatch(e -> Arrays.equals(e.getValue(), r.of(e.getKey())));
  }

  @Override
  public int hashCode() {
    return filters.entrySet().stream()
        .mapToInt(e -> e.getKey().hashCode() ^ Arrays.hashCode(e.getValue()))
        .sum();
  }

  @Override
  public String toString() {
    return size() + " filters of " + filters.size() + " convolutions";
  }
}
