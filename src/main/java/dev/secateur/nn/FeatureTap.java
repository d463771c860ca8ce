package dev.secateur.nn;

import dev.secateur.device.PoolSpec;
import java.util.List;

/**
 * Which convolutions' raw outputs (before batch norm) are pooled into columns of the feature
 * matrix.
 *
 * @param convolutions node names; columns follow this order, each convolution's channels in a row
 * @param kind MAX or AVERAGE over height and width
 */
public record FeatureTap(List<String> convolutions, PoolSpec.Kind kind) {
  public FeatureTap {
    convolutions = List.copyOf(convolutions);
  }
}
