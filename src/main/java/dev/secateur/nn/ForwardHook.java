package dev.secateur.nn;

import dev.secateur.device.PoolSpec;
import java.util.List;

/**
 * Which nodes' outputs are pooled into columns of the feature matrix; {@link Pooling} says which
 * for a set of convolutions.
 *
 * @param nodes names; columns follow this order, each node's channels in a row
 * @param kind MAX or AVERAGE over height and width
 */
public record ForwardHook(List<String> nodes, PoolSpec.Kind kind) {
  public ForwardHook {
    nodes = List.copyOf(nodes);
  }
}
