package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/**
 * He et al., Filter Pruning via Geometric Median for Deep Convolutional Neural Networks
 * Acceleration, CVPR 2019: the sum of a filter's Euclidean distances to all filters of its layer.
 * What lies in the middle of the others can be replaced by them.
 */
final class GeometricMedian {
  private GeometricMedian() {}

  /** Distances from the filters' products, which the device makes in double precision. */
  static double[] distances(Device device, Tensor weight) {
    int k = weight.shape().size(0);
    double[] gram;
    try (Arena arena = device.newArena()) {
      Tensor w = arena.allocate(weight.shape(), DType.F64, Layout.PLAIN);
      Tensor product = arena.doubles(k, k);
      Tensor rows = w.reshape(Shape.of(k, weight.elements() / k));
      device.moves().copy(weight, w).launch();
      device.matrices().gemm(false, true, 1, rows, rows, 0, product).launch();
      gram = device.downloadDoubles(product);
    }
    double[] out = new double[k];
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < k; j++) {
        out[i] += Math.sqrt(Math.max(0, gram[i * k + i] + gram[j * k + j] - 2 * gram[i * k + j]));
      }
    }
    return out;
  }
}
