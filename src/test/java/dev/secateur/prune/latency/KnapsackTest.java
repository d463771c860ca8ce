package dev.secateur.prune.latency;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.prune.latency.Knapsack.Option;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The knapsack against exact solutions by other means. */
class KnapsackTest {
  private static List<List<Option>> random(int lists, int options, int most, SplittableRandom r) {
    List<List<Option>> out = new ArrayList<>();
    for (int i = 0; i < lists; i++) {
      List<Option> list = new ArrayList<>();
      for (int o = 0; o < options; o++) {
        list.add(new Option(1 + r.nextInt(most), r.nextInt(1000) / 8.0 - 20));
      }
      out.add(list);
    }
    return out;
  }

  private static double sum(List<List<Option>> lists, int[] chosen, boolean times) {
    double sum = 0;
    for (int i = 0; i < chosen.length; i++) {
      Option o = lists.get(i).get(chosen[i]);
      sum += times ? o.time() : o.loss();
    }
    return sum;
  }

  /** The least loss within each budget, times being whole numbers. */
  private static double[] byTables(List<List<Option>> lists, int budget) {
    double[] best = new double[budget + 1];
    for (List<Option> list : lists) {
      double[] next = new double[budget + 1];
      Arrays.fill(next, Double.POSITIVE_INFINITY);
      for (Option o : list) {
        for (int t = (int) o.time(); t <= budget; t++) {
          next[t] = Math.min(next[t], best[t - (int) o.time()] + o.loss());
        }
      }
      best = next;
    }
    return best;
  }

  @Test
  void smallOnesAreExact() {
    SplittableRandom r = new SplittableRandom(3);
    int without = 0;
    for (int trial = 0; trial < 300; trial++) {
      List<List<Option>> lists = random(1 + r.nextInt(6), 1 + r.nextInt(7), 40, r);
      int budget = 5 + r.nextInt(150);
      double best = byTables(lists, budget)[budget];
      Optional<int[]> chosen = Knapsack.choose(lists, budget);
      assertEquals(best < Double.POSITIVE_INFINITY, chosen.isPresent());
      if (chosen.isPresent()) {
        assertTrue(sum(lists, chosen.get(), true) <= budget);
        assertEquals(best, sum(lists, chosen.get(), false), 1e-9);
      } else {
        without++;
      }
    }
    assertTrue(without > 10 && without < 200, "some budgets are too small: " + without);
  }

  @Test
  void largeOnesLoseNoMoreThanASliceForEachListCosts() {
    SplittableRandom r = new SplittableRandom(4);
    List<List<Option>> lists = random(30, 30, 2000, r);
    int budget = 12_000;
    double[] best = byTables(lists, budget);
    int[] chosen = Knapsack.choose(lists, budget).orElseThrow();
    assertTrue(sum(lists, chosen, true) <= budget);
    double loss = sum(lists, chosen, false);
    int less = budget - (int) Math.ceil(30.0 * budget / 4096);
    assertTrue(loss >= best[budget] - 1e-9);
    assertTrue(loss <= best[less] + 1e-9, loss + " of at best " + best[budget]);
  }

  @Test
  void aBudgetThatIsExactlyTheLeastIsEnough() {
    List<List<Option>> lists = new ArrayList<>();
    double budget = 0;
    for (int i = 0; i < 20; i++) {
      lists.add(List.of(new Option(0.1 * (i + 1), 5), new Option(7, 1)));
      budget += 0.1 * (20 - i);
    }
    assertTrue(Knapsack.choose(lists, budget).isPresent());
  }
}
