package dev.secateur.prune;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
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

  /** What is left of values by filter of a convolution. */
  double[] kept(String convolution, double[] byFilter) {
    int[] gone = of(convolution);
    return IntStream.range(0, byFilter.length)
        .filter(f -> Arrays.binarySearch(gone, f) < 0)
        .mapToDouble(f -> byFilter[f])
        .toArray();
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
        int[] left =
            IntStream.range(0, before.shape(n.name()).size(1))
                .filter(f -> Arrays.binarySearch(first, f) < 0)
                .toArray();
        IntStream later = IntStream.of(second).map(f -> left[f]);
        out.put(n.name(), IntStream.concat(IntStream.of(first), later).sorted().toArray());
      }
    }
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
