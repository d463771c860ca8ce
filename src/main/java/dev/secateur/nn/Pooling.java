package dev.secateur.nn;

import dev.secateur.device.PoolSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.BatchNorm;
import java.util.List;
import java.util.Locale;

/**
 * How a filter's output becomes one number an image.
 *
 * @param kind MAX or AVERAGE over height and width
 * @param place where the output is taken
 */
public record Pooling(PoolSpec.Kind kind, Place place) {
  /** The paper's choice. */
  public static final Pooling MAX = new Pooling(PoolSpec.Kind.MAX, Place.CONVOLUTION);

  /** Where a filter's output is taken. */
  public enum Place {
    /** The convolution's raw output, before batch norm, as in the authors' code. */
    CONVOLUTION,

    /**
     * Behind the batch norm and the activation that follow it, where nothing else reads between.
     */
    ACTIVATION;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The nodes whose output is pooled for these convolutions, in their order. */
  public ForwardHook hook(Graph graph, List<String> convolutions) {
    return new ForwardHook(convolutions.stream().map(c -> node(graph, c)).toList(), kind);
  }

  private String node(Graph graph, String convolution) {
    String at = convolution;
    if (place == Place.ACTIVATION) {
      boolean normed = false;
      while (graph.consumers(at).size() == 1 && !at.equals(graph.output().name())) {
        Node next = graph.consumers(at).get(0);
        if (next.op() instanceof Activate) {
          return next.name();
        }
        if (normed || !(next.op() instanceof BatchNorm)) {
          break;
        }
        normed = true;
        at = next.name();
      }
    }
    return at;
  }
}
