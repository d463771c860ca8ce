package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/** Copies of a network's parameters as they are now, for inference. */
final class Snapshots implements Parameters {
  private final Network net;
  private final Device device;
  private final Arena arena;
  private final HostParameters host;
  private long bytes;

  Snapshots(Network net, Arena arena) {
    this.net = net;
    this.device = net.device();
    this.arena = arena;
    this.host = new HostParameters(net);
  }

  @Override
  public Tensor weights(String parameter) {
    boolean bank = net.parameter(parameter).shape().rank() == 4;
    Layout layout = bank ? device.weightLayout() : Layout.PLAIN;
    return copy(parameter, device.activationType(), layout);
  }

  @Override
  public Tensor vector(String parameter, DType type) {
    return copy(parameter, type, Layout.PLAIN);
  }

  private Tensor copy(String parameter, DType type, Layout layout) {
    Tensor t = net.parameter(parameter);
    return constant(host.of(parameter), t.shape(), type, layout);
  }

  /** A parameter's numbers, the caller's own. */
  float[] values(String parameter) {
    return host.of(parameter);
  }

  /** Numbers on the device. */
  Tensor constant(float[] data, Shape shape, DType type, Layout layout) {
    Tensor copy = arena.allocate(shape, type, layout);
    device.upload(data, copy);
    bytes += copy.bytes();
    return copy;
  }

  /** The normalisation of pixels. */
  InputScale inputScale() {
    InputScale s = InputScale.of(net, arena);
    bytes += s.scale().bytes() + s.shift().bytes();
    return s;
  }

  /** Bytes of all copies made so far. */
  long bytes() {
    return bytes;
  }
}
