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
  private final Widths widths;
  private long bytes;

  Snapshots(Network net, Widths widths, Arena arena) {
    this.net = net;
    this.widths = widths;
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
    Shape own = net.parameter(parameter).shape();
    return constant(host.of(parameter), own, widths.parameter(parameter), type, layout);
  }

  /** A parameter's numbers, the caller's own. */
  float[] values(String parameter) {
    return host.of(parameter);
  }

  /**
   * Numbers on the device.
   *
   * @param wide no axis is shorter than in {@code shape}; what is more is zero
   */
  Tensor constant(float[] data, Shape shape, Shape wide, DType type, Layout layout) {
    Tensor copy = arena.allocate(wide, type, layout);
    device.upload(shape.equals(wide) ? data : widened(data, shape, wide), copy);
    bytes += copy.bytes();
    return copy;
  }

  private static float[] widened(float[] data, Shape shape, Shape wide) {
    float[] out = new float[Math.toIntExact(wide.elements())];
    int rows = shape.size(0);
    int row = data.length / rows;
    int wideRow = out.length / wide.size(0);
    for (int k = 0; k < rows; k++) {
      System.arraycopy(data, k * row, out, k * wideRow, row);
    }
    return out;
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
