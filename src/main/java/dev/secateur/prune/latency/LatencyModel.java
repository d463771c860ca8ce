package dev.secateur.prune.latency;

import dev.secateur.nn.Graph;
import dev.secateur.nn.InferencePlan;
import java.util.ArrayList;
import java.util.List;

/**
 * The time of a network's inference as the sum of its steps' times. Launching many kernels one
 * after another may take longer or shorter than that, so that ratios of networks mean more than
 * their milliseconds.
 */
public final class LatencyModel {
  private final InferencePlan plan;
  private final StepLatency clock;

  /** By node: the steps whose time depends on its width. */
  private final List<List<Integer>> stepsOf = new ArrayList<>();

  LatencyModel(Graph graph, StepLatency clock) {
    this.plan = InferencePlan.of(graph);
    this.clock = clock;
    graph.nodes().forEach(n -> stepsOf.add(new ArrayList<>()));
    for (int s = 0; s < plan.size(); s++) {
      for (int n : plan.nodes(s)) {
        if (!stepsOf.get(n).contains(s)) {
          stepsOf.get(n).add(s);
        }
      }
    }
  }

  /** Milliseconds of a network as it is. */
  public static double of(Graph graph, StepLatency clock) {
    int[] widths = graph.nodes().stream().mapToInt(n -> graph.shape(n.name()).size(1)).toArray();
    return new LatencyModel(graph, clock).milliseconds(widths);
  }

  /**
   * @param widths channels (or features) by node
   */
  double milliseconds(int[] widths) {
    double sum = 0;
    for (int s = 0; s < plan.size(); s++) {
      sum += step(s, widths);
    }
    return sum;
  }

  double step(int step, int[] widths) {
    return clock.milliseconds(plan.at(step, widths));
  }

  int steps() {
    return plan.size();
  }

  /** Steps whose time depends on a node's width. */
  List<Integer> stepsOf(int node) {
    return stepsOf.get(node);
  }
}
