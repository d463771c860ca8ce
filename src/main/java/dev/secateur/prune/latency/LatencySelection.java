package dev.secateur.prune.latency;

import dev.secateur.nn.Graph;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selection;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Chooses groups so that the network is fast enough and the importance of those removed sum up to
 * as little as possible: a knapsack of importance against measured milliseconds.
 *
 * <p>ChannelGroups that have channels of the same nodes form a layer, from which the lowest go
 * first, so that a layer's choice is a number. Columns that share a step of inference (one layer
 * reads what the other puts out) form a block. Blocks' times add up, so the knapsack over blocks is
 * exact ({@link Knapsack}). A block of one layer, such as the inside of a residual block, offers
 * every number; a block of several offers the candidates of a greedy way from all to none: each
 * time the layer and number that lose the least score for each millisecond saved, with all steps
 * around it evaluated anew. It looks some numbers ahead, as times fall in stairs (a device computes
 * channels by eights, say); at last groups are given back where that costs nothing the budget
 * forbids.
 *
 * <p>Wide layers are looked at in at most {@value #LEVELS} numbers, until groups are given back one
 * by one. Times may rise where channels fall: nothing here needs them to be monotone.
 */
public final class LatencySelection {
  private static final int LEVELS = 32;
  private static final int AHEAD = 4;
  private static final int MOST_RETRIES = 8;

  private final ChannelGroups groups;
  private final double[] importance;
  private final Selection selection;
  private final boolean rounds;
  private final Loss kind;
  private final LatencyModel model;
  private final List<Layer> layers = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private final double always;

  /** What a layer's choice costs. */
  public enum Loss {
    /** The sum of the importance removed. */
    SUM,

    /**
     * -log of the part of the layer's sum that is kept: importance need be comparable within a
     * layer only, and the last filters of a layer are dear.
     */
    SHARE;

    double of(double removed, double total) {
      return this == SUM ? removed : -Math.log(Math.max(1e-9, 1 - removed / total));
    }
  }

  /**
   * ChannelGroups that differ in nothing but their score.
   *
   * @param groups ascending by score
   * @param levels how many of them may go, ascending from 0
   * @param losses the sum of importance lost at each level
   * @param steps whose time depends on the layer
   */
  private record Layer(
      int[] groups,
      int[] nodes,
      int[] channels,
      int[] levels,
      double[] losses,
      Set<Integer> steps) {
    int last() {
      return levels.length - 1;
    }
  }

  /** A choice within a block: its layers' levels, time of its steps, importance lost. */
  private record Candidate(int[] levels, double time, double loss) {}

  private record Block(int[] layers, int[] steps, List<Candidate> candidates) {}

  /**
   * @param selection of the same groups and importance, for its constraints
   * @param importance by group
   */
  LatencySelection(
      ChannelGroups groups,
      double[] importance,
      Selection selection,
      int roundTo,
      StepLatency latencies,
      Loss kind) {
    this.kind = kind;
    this.groups = groups;
    this.importance = importance.clone();
    this.selection = selection;
    this.rounds = roundTo > 1;
    this.model = new LatencyModel(groups.graph(), latencies);
    Selection.Mask required = selection.requiredMask();
    for (List<Integer> all : groups.interchangeable()) {
      int[] free =
          all.stream()
              .filter(u -> !required.prunes(u))
              .sorted(Comparator.comparingDouble(u -> importance[u]))
              .mapToInt(u -> u)
              .toArray();
      if (free.length > 0) {
        layers.add(layer(free, all.size() - free.length));
      }
    }
    BitSet covered = new BitSet();
    for (int[] members : components()) {
      int[] steps =
          Arrays.stream(members)
              .boxed()
              .flatMap(c -> layers.get(c).steps.stream())
              .mapToInt(s -> s)
              .distinct()
              .sorted()
              .toArray();
      Arrays.stream(steps).forEach(covered::set);
      blocks.add(new Block(members, steps, new ArrayList<>()));
    }
    int[] widths = required.remaining();
    double rest = 0;
    for (int s = covered.nextClearBit(0); s < model.steps(); s = covered.nextClearBit(s + 1)) {
      rest += model.step(s, widths);
    }
    always = rest;
    blocks.forEach(b -> walk(b, widths.clone()));
  }

  /** With the importance that channel groups have by a criterion. */
  public static LatencySelection of(
      ChannelGroups groups,
      Importance importance,
      Recipe.Choice choice,
      Graph original,
      StepLatency latencies,
      Loss loss) {
    Constraints constraints = choice.constraints(original);
    return new LatencySelection(
        groups,
        groups.importance(importance, choice.groupReduction()),
        new Selection(groups, choice.order(groups, importance), constraints, original),
        constraints.roundTo(),
        latencies,
        loss);
  }

  private Layer layer(int[] free, int gone) {
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
      sums[i + 1] = sums[i] + importance[free[i]];
    }
    Set<Integer> steps = new TreeSet<>();
    for (int node : groups.nodes(free[0])) {
      steps.addAll(model.stepsOf(node));
    }
    return new Layer(
        free,
        groups.nodes(free[0]),
        groups.channels(free[0]),
        levels,
        Arrays.stream(levels).mapToDouble(l -> kind.of(sums[l], sums[n])).toArray(),
        steps);
  }

  /** Columns that share steps, directly or through others. */
  private List<int[]> components() {
    List<int[]> out = new ArrayList<>();
    Set<Integer> open = new TreeSet<>();
    IntStream.range(0, layers.size()).forEach(open::add);
    while (!open.isEmpty()) {
      List<Integer> members = new ArrayList<>();
      Set<Integer> steps = new HashSet<>();
      boolean grew = true;
      while (grew) {
        List<Integer> more =
            open.stream()
                .filter(c -> members.isEmpty() || !Collections.disjoint(layers.get(c).steps, steps))
                .limit(members.isEmpty() ? 1 : Long.MAX_VALUE)
                .toList();
        members.addAll(more);
        more.forEach(c -> steps.addAll(layers.get(c).steps));
        more.forEach(open::remove);
        grew = !more.isEmpty();
      }
      out.add(members.stream().sorted().mapToInt(c -> c).toArray());
    }
    return out;
  }

  // ---- the candidates that a block offers
  // -----------------------------------------------------------

  /**
   * @param widths by node, with nothing of the block removed; changes
   */
  private void walk(Block block, int[] widths) {
    int[] at = new int[block.layers.length];
    double time = 0;
    for (int s : block.steps) {
      time += model.step(s, widths);
    }
    double loss = 0;
    block.candidates.add(new Candidate(at.clone(), time, loss));
    Selection.Mask mask = selection.requiredMask();
    boolean alone = at.length == 1;
    Move[][] moves = new Move[at.length][];
    while (true) {
      Optional<Move> best = Optional.empty();
      for (int i = 0; i < at.length; i++) {
        if (moves[i] == null) {
          moves[i] = moves(i, layers.get(block.layers[i]), at[i], widths, alone ? 1 : AHEAD);
        }
        for (Move m : moves[i]) {
          best = best.isEmpty() || m.betterThan(best.get()) ? Optional.of(m) : best;
        }
      }
      if (best.isEmpty()) {
        return;
      }
      Move m = best.get();
      Layer c = layers.get(block.layers[m.place]);
      if (!take(mask, c, c.levels[at[m.place]], c.levels[m.level])) {
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
      block.candidates.add(new Candidate(at.clone(), time, loss));
      for (int i = 0; i < at.length; i++) {
        if (!Collections.disjoint(layers.get(block.layers[i]).steps, c.steps)) {
          moves[i] = null;
        }
      }
    }
  }

  /** To a higher level of a block's layer. */
  private record Move(int place, int level, double saved, double loss) {
    /** What saves time comes before what does not; less loss a millisecond before more. */
    boolean betterThan(Move other) {
      if (saved > 0 != other.saved > 0) {
        return saved > 0;
      }
      return saved > 0 ? loss * other.saved < other.loss * saved : loss < other.loss;
    }
  }

  private Move[] moves(int place, Layer c, int at, int[] widths, int ahead) {
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

  private static void resize(int[] widths, Layer c, int before, int now) {
    for (int i = 0; i < c.nodes.length; i++) {
      widths[c.nodes[i]] -= (now - before) * c.channels[i];
    }
  }

  /** All groups from one count to another, or none where a constraint forbids it. */
  private static boolean take(Selection.Mask mask, Layer c, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!mask.prune(c.groups[i])) {
        for (int j = from; j < i; j++) {
          mask.restore(c.groups[j]);
        }
        return false;
      }
    }
    return true;
  }

  // ---- the choice ------------------------------------------------------------------------------

  /**
   * The groups whose importance sum up to the least of those choices that are fast enough, with all
   * that minimum ratios ask for.
   *
   * @param milliseconds of the whole network, by the table
   * @return ascending filter indices by convolution; empty where no choice found is fast enough
   */
  public Optional<Removal> within(double milliseconds) {
    double budget = milliseconds;
    for (int i = 0; i < MOST_RETRIES; i++) {
      Optional<Selection.Mask> mask = choose(budget);
      if (mask.isEmpty()) {
        return Optional.empty();
      }
      double excess = model.milliseconds(mask.get().remaining()) - milliseconds;
      if (excess <= 1e-9 * milliseconds) {
        if (!rounds) {
          refill(mask.get(), milliseconds);
        }
        return Optional.of(mask.get().removal());
      }
      budget -= excess; // what rounding gave back
    }
    return Optional.empty();
  }

  private Optional<Selection.Mask> choose(double budget) {
    List<List<Knapsack.Option>> lists =
        blocks.stream()
            .map(b -> b.candidates.stream().map(s -> new Knapsack.Option(s.time, s.loss)).toList())
            .toList();
    return Knapsack.choose(lists, budget - always).map(this::mask);
  }

  private Selection.Mask mask(int[] chosen) {
    Selection.Mask mask = selection.requiredMask();
    for (int b = 0; b < chosen.length; b++) {
      Block block = blocks.get(b);
      Candidate candidate = block.candidates.get(chosen[b]);
      for (int i = 0; i < block.layers.length; i++) {
        Layer c = layers.get(block.layers[i]);
        take(mask, c, 0, c.levels[candidate.levels[i]]);
      }
    }
    if (rounds) {
      mask.round();
    }
    return mask;
  }

  /** Gives back single groups, the highest first, as long as the network stays fast enough. */
  private void refill(Selection.Mask mask, double milliseconds) {
    double now = model.milliseconds(mask.remaining());
    Set<Layer> full = new HashSet<>();
    Selection.Mask required = selection.requiredMask();
    record Removed(int group, Layer layer) {}
    List<Removed> removed = new ArrayList<>();
    for (Layer c : layers) {
      for (int u : c.groups) {
        if (mask.prunes(u) && !required.prunes(u)) {
          removed.add(new Removed(u, c));
        }
      }
    }
    removed.sort(Comparator.comparingDouble((Removed r) -> importance[r.group]).reversed());
    for (Removed r : removed) {
      if (importance[r.group] > 0 && !full.contains(r.layer)) {
        double before =
            r.layer.steps.stream().mapToDouble(s -> model.step(s, mask.remaining())).sum();
        mask.restore(r.group);
        double after =
            r.layer.steps.stream().mapToDouble(s -> model.step(s, mask.remaining())).sum();
        if (now + after - before <= milliseconds) {
          now += after - before;
        } else {
          mask.prune(r.group);
          full.add(r.layer);
        }
      }
    }
  }
}
