package dev.secateur.prune.latency;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The knapsack with one choice out of each of several lists: the least sum of losses within a
 * budget of time. Exact by merging list after list and dropping what another choice beats in both
 * time and loss. Where more than {@value #MOST} choices are left, only the one of least loss in
 * each of so many equal slices of the budget goes on; the result still keeps the budget and loses
 * no more than the best one for a budget that is a slice smaller for each list.
 */
final class Knapsack {
  private static final int MOST = 1 << 12;

  /** What sums of the same times in another order may differ by. */
  private static final double ROUNDING = 1e-12;

  private Knapsack() {}

  /** What may be chosen: an option's time and loss. */
  record Option(double time, double loss) {}

  /** Options chosen so far, the last of which is {@code index} of its list. */
  private record Choice(double time, double loss, int index, Choice before) {}

  /**
   * @return the index of the chosen option in each list; empty where nothing is within the budget
   */
  static Optional<int[]> choose(List<List<Option>> lists, double budget) {
    double[] leastAfter = new double[lists.size() + 1];
    for (int i = lists.size() - 1; i >= 0; i--) {
      double least =
          lists.get(i).stream().mapToDouble(Option::time).min().orElse(Double.POSITIVE_INFINITY);
      leastAfter[i] = leastAfter[i + 1] + least;
    }
    List<Choice> front = List.of(new Choice(0, 0, -1, null));
    for (int i = 0; i < lists.size(); i++) {
      List<Choice> all = new ArrayList<>();
      for (Choice c : front) {
        for (int o = 0; o < lists.get(i).size(); o++) {
          Option option = lists.get(i).get(o);
          double time = c.time + option.time();
          if (time + leastAfter[i + 1] <= budget * (1 + ROUNDING)) {
            all.add(new Choice(time, c.loss + option.loss(), o, c));
          }
        }
      }
      front = thin(unbeaten(all), budget);
    }
    return front.stream()
        .min(Comparator.comparingDouble(Choice::loss))
        .map(c -> indices(c, lists.size()));
  }

  /** By rising time, each with less loss than all before. */
  private static List<Choice> unbeaten(List<Choice> all) {
    all.sort(Comparator.comparingDouble(Choice::time).thenComparingDouble(Choice::loss));
    List<Choice> out = new ArrayList<>();
    for (Choice c : all) {
      if (out.isEmpty() || c.loss < out.get(out.size() - 1).loss) {
        out.add(c);
      }
    }
    return out;
  }

  private static List<Choice> thin(List<Choice> front, double budget) {
    if (front.size() <= MOST) {
      return front;
    }
    Choice[] bySlice = new Choice[MOST + 1];
    for (Choice c : front) {
      bySlice[(int) Math.min(MOST, c.time / budget * MOST)] =
          c; // the last of a slice has its least loss
    }
    return new ArrayList<>(Arrays.stream(bySlice).filter(c -> c != null).toList());
  }

  private static int[] indices(Choice last, int size) {
    int[] out = new int[size];
    Choice c = last;
    for (int i = size - 1; i >= 0; i--) {
      out[i] = c.index;
      c = c.before;
    }
    return out;
  }
}
