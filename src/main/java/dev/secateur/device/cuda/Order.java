package dev.secateur.device.cuda;

import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;

/** The order of an activation's elements in memory, as our kernels are told it. */
final class Order {
  private Order() {}

  /** Whether channels are innermost. */
  static boolean last(Tensor t) {
    return t.layout() == Layout.CHANNELS_LAST;
  }

  /** H x W of an activation, 1 for (N,C). */
  static long pixels(Tensor t) {
    return t.elements() / t.shape().dim(0) / t.shape().dim(1);
  }

  /** Elements from one channel to the next in the order of memory. */
  static long inner(Tensor t) {
    return last(t) ? 1 : pixels(t);
  }
}
