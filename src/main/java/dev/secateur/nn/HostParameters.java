package dev.secateur.nn;

import dev.secateur.device.Device;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;

/**
 * A network's parameters copied to the host, as they are when first asked for: each copy from a
 * device waits for it, so biases and what norms have come in one, their running statistics in
 * another, and only weights one by one.
 */
final class HostParameters {
  private final Network net;
  private final Device device;
  private final Part vectors;
  private final Part statistics;

  HostParameters(Network net) {
    this.net = net;
    this.device = net.device();
    Tensor flat = net.flat();
    long rest = flat.elements() - net.decayed();
    this.vectors = new Part(rest == 0 ? flat : flat.view(net.decayed(), Shape.of(rest)));
    this.statistics = new Part(net.running());
  }

  /** A stretch of memory with several parameters, copied once. */
  private final class Part {
    private final Tensor all;
    private float[] values;

    Part(Tensor all) {
      this.all = all;
    }

    boolean holds(Tensor t) {
      long end = all.byteOffset() + all.bytes();
      return t.buffer() == all.buffer()
          && t.byteOffset() >= all.byteOffset()
          && t.byteOffset() + t.bytes() <= end;
    }

    float[] of(Tensor t) {
      if (values == null) {
        values = device.downloadFloats(all);
      }
      int at = Math.toIntExact((t.byteOffset() - all.byteOffset()) / Float.BYTES);
      return Arrays.copyOfRange(values, at, at + Math.toIntExact(t.elements()));
    }
  }

  /** In PLAIN order; the caller's own. */
  float[] of(String parameter) {
    Tensor t = net.parameter(parameter);
    boolean vector = t.shape().rank() == 1;
    if (vector && vectors.holds(t)) {
      return vectors.of(t);
    }
    return vector && statistics.holds(t) ? statistics.of(t) : device.downloadFloats(t);
  }
}
