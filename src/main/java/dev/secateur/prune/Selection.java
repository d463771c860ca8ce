package dev.secateur.prune;

import dev.secateur.SecateurException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Chooses filters by one global threshold over all layers. */
public final class Selection {
  private Selection() {}

  private record Filter(float score, int layer, String name, int index) {}

  /**
   * The {@code floor(rate * filters)} filters of lowest score, exactly; ties go by layer, then by
   * filter. A layer keeps at least one filter: the next lowest goes instead.
   *
   * @return ascending filter indices by convolution
   * @throws SecateurException when so many cannot be removed
   */
  public static Map<String, int[]> lowest(Scores scores, double rate) {
    if (!(rate > 0 && rate < 1)) {
      throw new SecateurException("rate " + rate + ": expected a number between 0 and 1");
    }
    List<Filter> all = new ArrayList<>();
    int layer = 0;
    for (Map.Entry<String, float[]> e : scores.byFilter().entrySet()) {
      for (int i = 0; i < e.getValue().length; i++) {
        all.add(new Filter(e.getValue()[i], layer, e.getKey(), i));
      }
      layer++;
    }
    all.sort(
        Comparator.comparingDouble(Filter::score)
            .thenComparingInt(Filter::layer)
            .thenComparingInt(Filter::index));
    int wanted = (int) Math.floor(rate * all.size());
    Map<String, List<Integer>> chosen = new LinkedHashMap<>();
    int taken = 0;
    for (Filter f : all) {
      List<Integer> of = chosen.computeIfAbsent(f.name(), n -> new ArrayList<>());
      if (taken < wanted && of.size() + 1 < scores.byFilter().get(f.name()).length) {
        of.add(f.index());
        taken++;
      }
    }
    if (taken < wanted) {
      throw new SecateurException(
          "rate "
              + rate
              + " asks for "
              + wanted
              + " filters, but only "
              + taken
              + " can go when every layer keeps one");
    }
    Map<String, int[]> out = new LinkedHashMap<>();
    for (String name : scores.byFilter().keySet()) {
      List<Integer> of = chosen.getOrDefault(name, List.of());
      if (!of.isEmpty()) {
        out.put(name, of.stream().mapToInt(i -> i).sorted().toArray());
      }
    }
    return out;
  }
}
