package dev.secateur.prune;

import dev.secateur.nn.Graph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Chooses units so that the network is fast enough and the scores of those removed sum up to as
 * little as possible: a knapsack of scores against measured milliseconds.
 *
 * <p>Units that have channels of the same nodes form a column, from which the lowest go first, so
 * that a column's choice is a number. Columns that share a step of inference (one layer reads what
 * the other puts out) form a block. Blocks' times add up, so the knapsack over blocks is exact
 * ({@link Knapsack}). A block of one column, such as the inside of a residual block, offers every
 * number; a block of several offers the states of a greedy way from all to none: each time the
 * column and number that lose the least score for each millisecond saved, with all steps around it
 * evaluated anew. It looks some numbers ahead, as times fall in stairs (a device computes channels
 * by eights, say); at last units are given back where that costs nothing the budget forbids.
 *
 * <p>Wide columns are looked at in at most {@value #LEVELS} numbers, until units are given back one
 * by one. Times may rise where channels fall: nothing here needs them to be monotone.
 */
final class LatencySelection {
  private static final int LEVELS = 32;
  private static final int AHEAD = 4;
  private static final int MOST_RETRIES = 8;

  private final Units units;
  private final double[] scores;
  private final Selection selection;
  private final boolean rounds;
  private final Loss kind;
  private final LatencyModel model;
  private final List<Column> columns = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private final double always;

  /** What a column's choice costs. */
  enum Loss {
    /** The sum of the scores removed. */
    SUM,

    /**
     * -log of the part of the column's sum that is kept: scores need be comparable within a column
     * only, and the last filters of a layer are dear.
     */
    SHARE;

    double of(double removed, double total) {
      return this == SUM ? removed : -Math.log(Math.max(1e-9, 1 - removed / total));
    }
  }

  /**
   * Units that differ in nothing but their score.
   *
   * @param units ascending by score
   * @param levels how many of them may go, ascending from 0
   * @param losses the sum of scores lost at each level
   * @param steps whose time depends on the column
   */
  private record Column(
      int[] units, int[] nodes, int[] channels, int[] levels, double[] losses, Set<Integer> steps) {
    int last() {
      return levels.length - 1;
    }
  }

  /** A choice within a block: its columns' levels, time of its steps, scores lost. */
  private record State(int[] levels, double time, double loss) {}

  private record Block(int[] columns, int[] steps, List<State> states) {}

  /**
   * @param selection of the same units and scores, for its constraints
   * @param scores by unit
   */
  LatencySelection(
      Units units, double[] scores, Selection selection, int roundTo, StepClock clock, Loss kind) {
    this.kind = kind;
    this.units = units;
    this.scores = scores.clone();
    this.selection = selection;
    this.rounds = roundTo > 1;
    this.model = new LatencyModel(units.graph(), clock);
    Selection.Taken least = selection.least();
    for (List<Integer> all : units.columns()) {
      int[] free =
          all.stream()
              .filter(u -> !least.goes(u))
              .sorted(Comparator.comparingDouble(u -> scores[u]))
              .mapToInt(u -> u)
              .toArray();
      if (free.length > 0) {
        columns.add(column(free, all.size() - free.length));
      }
    }
    BitSet covered = new BitSet();
    for (int[] members : components()) {
      int[] steps =
          Arrays.stream(members)
              .boxed()
              .flatMap(c -> columns.get(c).steps.stream())
              .mapToInt(s -> s)
              .distinct()
              .sorted()
              .toArray();
      Arrays.stream(steps).forEach(covered::set);
      blocks.add(new Block(members, steps, new ArrayList<>()));
    }
    int[] widths = least.left();
    double rest = 0;
    for (int s = covered.nextClearBit(0); s < model.steps(); s = covered.nextClearBit(s + 1)) {
      rest += model.step(s, widths);
    }
    always = rest;
    blocks.forEach(b -> walk(b, widths.clone()));
  }

  /** With the scores that units have by a criterion. */
  static LatencySelection of(
      Units units,
      Scores scores,
      GroupScore kind,
      Constraints constraints,
      Graph original,
      StepClock clock,
      Loss loss) {
    return new LatencySelection(
        units,
        units.scores(scores, kind),
        new Selection(units, scores, kind, constraints, original),
        constraints.roundTo(),
        clock,
        loss);
  }

  private Column column(int[] free, int gone) {
    int n = free.length;
    List<Integer> allowed = new ArrayList<>();
    int coarse = rounds ? 1 : Integer.highestOneBit(Math.max(1, n / LEVELS));
    for (int kept = n; kept >= 0; kept--) {
      boolean offered =
          rounds
              ? selection.leavesMultiples(free[0], gone + n - kept)
              : kept % coarse == 0 || kept == 1;
      if (offered || kept == n) {
        allowed.add(n - kept);
      }
    }
    int every = rounds ? 1 + Math.max(0, allowed.size() - 2) / LEVELS : 1;
    int[] levels =
        IntStream.range(0, allowed.size())
            .filter(i -> i % every == 0 || i >= allowed.size() - 2)
            .map(allowed::get)
            .toArray();
    double[] sums = new double[n + 1];
    for (int i = 0; i < n; i++) {
      sums[i + 1] = sums[i] + scores[free[i]];
    }
    Set<Integer> steps = new TreeSet<>();
    for (int node : units.nodes(free[0])) {
      steps.addAll(model.stepsOf(node));
    }
    return new Column(
        free,
        units.nodes(free[0]),
        units.channels(free[0]),
        levels,
        Arrays.stream(levels).mapToDouble(l -> kind.of(sums[l], sums[n])).toArray(),
        steps);
  }

  /** Columns that share steps, directly or through others. */
  private List<int[]> components() {
    List<int[]> out = new ArrayList<>();
    Set<Integer> open = new TreeSet<>();
    IntStream.range(0, columns.size()).forEach(open::add);
    while (!open.isEmpty()) {
      List<Integer> members = new ArrayList<>();
      Set<Integer> steps = new HashSet<>();
      boolean grew = true;
      while (grew) {
        List<Integer> more =
            open.stream()
                .filter(
                    c -> members.isEmpty() || !Collections.disjoint(columns.get(c).steps, steps))
                .limit(members.isEmpty() ? 1 : Long.MAX_VALUE)
                .toList();
        members.addAll(more);
        more.forEach(c -> steps.addAll(columns.get(c).steps));
        more.forEach(open::remove);
        grew = !more.isEmpty();
      }
      out.add(members.stream().sorted().mapToInt(c -> c).toArray());
    }
    return out;
  }

  // ---- the states that a block offers -----------------------------------------------------------

  /**
   * @param widths by node, with nothing of the block removed; changes
   */
  private void walk(Block block, int[] widths) {
    int[] at = new int[block.columns.length];
    double time = 0;
    for (int s : block.steps) {
      time += model.step(s, widths);
    }
    double loss = 0;
    block.states.add(new State(at.clone(), time, loss));
    Selection.Taken taken = selection.least();
    boolean alone = at.length == 1;
    Move[][] moves = new Move[at.length][];
    while (true) {
      Optional<Move> best = Optional.empty();
      for (int i = 0; i < at.length; i++) {
        if (moves[i] == null) {
          moves[i] = moves(i, columns.get(block.columns[i]), at[i], widths, alone ? 1 : AHEAD);
        }
        for (Move m : moves[i]) {
          best = best.isEmpty() || m.betterThan(best.get()) ? Optional.of(m) : best;
        }
      }
      if (best.isEmpty()) {
        return;
      }
      Move m = best.get();
      Column c = columns.get(block.columns[m.place]);
      if (!take(taken, c, c.levels[at[m.place]], c.levels[m.level])) {
        moves[m.place] =
            Arrays.stream(moves[m.place])
                .filter(o -> o.level < m.level)
                .toArray(Move[]::new); // a constraint is met: no further
        continue;
      }
      resize(widths, c, c.levels[at[m.place]], c.levels[m.level]);
      at[m.place] = m.level;
      time -= m.saved;
      loss += m.loss;
      block.states.add(new State(at.clone(), time, loss));
      for (int i = 0; i < at.length; i++) {
        if (!Collections.disjoint(columns.get(block.columns[i]).steps, c.steps)) {
          moves[i] = null;
        }
      }
    }
  }

  /** To a higher level of a block's column. */
  private record Move(int place, int level, double saved, double loss) {
    /** What saves time comes before what does not; less loss a millisecond before more. */
    boolean betterThan(Move other) {
      if (saved > 0 != other.saved > 0) {
        return saved > 0;
      }
      return saved > 0 ? loss * other.saved < other.loss * saved : loss < other.loss;
    }
  }

  private Move[] moves(int place, Column c, int at, int[] widths, int ahead) {
    double before = c.steps.stream().mapToDouble(s -> model.step(s, widths)).sum();
    List<Move> out = new ArrayList<>();
    for (int level = at + 1; level <= Math.min(c.last(), at + ahead); level++) {
      resize(widths, c, c.levels[at], c.levels[level]);
      boolean possible = Arrays.stream(c.nodes).allMatch(n -> widths[n] > 0);
      if (possible) {
        double after = c.steps.stream().mapToDouble(s -> model.step(s, widths)).sum();
        out.add(new Move(place, level, before - after, c.losses[level] - c.losses[at]));
      }
      resize(widths, c, c.levels[level], c.levels[at]);
      if (!possible) {
        break;
      }
    }
    return out.toArray(Move[]::new);
  }

  private static void resize(int[] widths, Column c, int before, int now) {
    for (int i = 0; i < c.nodes.length; i++) {
      widths[c.nodes[i]] -= (now - before) * c.channels[i];
    }
  }

  /** All units from one count to another, or none where a constraint forbids it. */
  private static boolean take(Selection.Taken taken, Column c, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!taken.take(c.units[i])) {
        for (int j = from; j < i; j++) {
          taken.giveBack(c.units[j]);
        }
        return false;
      }
    }
    return true;
  }

  // ---- the choice ------------------------------------------------------------------------------

  /**
   * The units whose scores sum up to the least of those choices that are fast enough, with all that
   * least rates ask for.
   *
   * @param milliseconds of the whole network, by the table
   * @return ascending filter indices by convolution; empty where no choice found is fast enough
   */
  Optional<Map<String, int[]>> within(double milliseconds) {
    double budget = milliseconds;
    for (int i = 0; i < MOST_RETRIES; i++) {
      Optional<Selection.Taken> taken = choose(budget);
      if (taken.isEmpty()) {
        return Optional.empty();
      }
      double excess = model.milliseconds(taken.get().left()) - milliseconds;
      if (excess <= 1e-9 * milliseconds) {
        if (!rounds) {
          refill(taken.get(), milliseconds);
        }
        return Optional.of(taken.get().byLayer());
      }
      budget -= excess; // what rounding gave back
    }
    return Optional.empty();
  }

  private Optional<Selection.Taken> choose(double budget) {
    List<List<Knapsack.Option>> lists =
        blocks.stream()
            .map(b -> b.states.stream().map(s -> new Knapsack.Option(s.time, s.loss)).toList())
            .toList();
    return Knapsack.choose(lists, budget - always).map(this::taken);
  }

  private Selection.Taken taken(int[] chosen) {
    Selection.Taken taken = selection.least();
    for (int b = 0; b < chosen.length; b++) {
      Block block = blocks.get(b);
      State state = block.states.get(chosen[b]);
      for (int i = 0; i < block.columns.length; i++) {
        Column c = columns.get(block.columns[i]);
        take(taken, c, 0, c.levels[state.levels[i]]);
      }
    }
    if (rounds) {
      taken.round();
    }
    return taken;
  }

  /** Gives back single units, the highest first, as long as the network stays fast enough. */
  private void refill(Selection.Taken taken, double milliseconds) {
    double now = model.milliseconds(taken.left());
    Set<Column> full = new HashSet<>();
    Selection.Taken least = selection.least();
    record Removed(int unit, Column column) {}
    List<Removed> removed = new ArrayList<>();
    for (Column c : columns) {
      for (int u : c.units) {
        if (taken.goes(u) && !least.goes(u)) {
          removed.add(new Removed(u, c));
        }
      }
    }
    removed.sort(Comparator.comparingDouble((Removed r) -> scores[r.unit]).reversed());
    for (Removed r : removed) {
      if (scores[r.unit] > 0 && !full.contains(r.column)) {
        double before = r.column.steps.stream().mapToDouble(s -> model.step(s, taken.left())).sum();
        taken.giveBack(r.unit);
        double after = r.column.steps.stream().mapToDouble(s -> model.step(s, taken.left())).sum();
        if (now + after - before <= milliseconds) {
          now += after - before;
        } else {
          taken.take(r.unit);
          full.add(r.column);
        }
      }
    }
  }
}
