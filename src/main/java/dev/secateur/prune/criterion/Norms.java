package dev.secateur.prune.criterion;

import dev.secateur.device.Device;
import dev.secateur.tensor.Tensor;

/**
 * Norms of filters, the first of Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017
 * (section 3.1: the sum of a filter's absolute weights).
 */
final class Norms {
  private Norms() {}

  static double[] l1(Device device, Tensor weight) {
    return sums(device.downloadFloats(weight), weight.shape().size(0), 1);
  }

  static double[] l2(Device device, Tensor weight) {
    double[] out = sums(device.downloadFloats(weight), weight.shape().size(0), 2);
    for (int k = 0; k < out.length; k++) {
      out[k] = Math.sqrt(out[k]);
    }
    return out;
  }

  private static double[] sums(float[] weights, int filters, int power) {
    double[] out = new double[filters];
    int each = weights.length / filters;
    for (int i = 0; i < weights.length; i++) {
      double w = Math.abs(weights[i]);
      out[i / each] += power == 1 ? w : w * w;
    }
    return out;
  }
}
