package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Cleanup;
import dev.secateur.device.Device;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model whose parameters lie on a device. The trainable ones are views of one flat tensor, so
 * that an optimiser needs one kernel for all of them.
 */
public final class Network implements AutoCloseable {
  private final Device device;
  private final Model model;
  private final Arena arena;
  private final Tensor flat;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();

  public Network(Device device, Model model) {
    this.device = device;
    this.model = model;
    this.arena = device.newArena();
    long trainable = 0;
    for (Map.Entry<String, HostTensor> e : model.parameters().entrySet()) {
      if (ParameterShapes.trainable(e.getKey())) {
        trainable += padded(e.getValue().shape());
      }
    }
    try {
      flat = arena.floats(Math.max(1, trainable));
      place();
      load(model);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  private void place() {
    long offset = 0;
    for (Map.Entry<String, HostTensor> e : model.parameters().entrySet()) {
      Shape shape = e.getValue().shape();
      if (ParameterShapes.trainable(e.getKey())) {
        parameters.put(e.getKey(), flat.view(offset, shape));
        offset += padded(shape);
      } else {
        parameters.put(e.getKey(), arena.allocate(shape, DType.F32, Layout.PLAIN));
      }
    }
  }

  /** Elements rounded up to 64 bytes, so that every view begins at an aligned address. */
  private static long padded(Shape shape) {
    return (shape.elements() + 15) / 16 * 16;
  }

  public Device device() {
    return device;
  }

  public Graph graph() {
    return model.graph();
  }

  public Map<String, String> metadata() {
    return model.metadata();
  }

  /** All parameters by name; views that change as training goes on. */
  public Map<String, Tensor> parameters() {
    return Collections.unmodifiableMap(parameters);
  }

  /** One parameter. */
  public Tensor parameter(String name) {
    Tensor t = parameters.get(name);
    if (t == null) {
      throw new IllegalArgumentException("no parameter named " + name);
    }
    return t;
  }

  /** All trainable parameters as one vector, with zeros between them for alignment. */
  Tensor flat() {
    return flat;
  }

  /**
   * The part of {@code other}, a vector as long as {@link #flat()}, that belongs to a trainable
   * parameter: its gradient or momentum.
   */
  Tensor partOf(Tensor other, String parameter) {
    Tensor own = parameter(parameter);
    return other.view((own.byteOffset() - flat.byteOffset()) / own.dtype().bytes(), own.shape());
  }

  /** Replaces all parameters by those of a model with the same graph. */
  public void load(Model other) {
    for (Map.Entry<String, Tensor> e : parameters.entrySet()) {
      HostTensor h = other.parameters().get(e.getKey());
      if (h == null || !h.shape().equals(e.getValue().shape())) {
        throw new IllegalArgumentException(
            e.getKey() + ": expected " + e.getValue().shape() + ", got " + h);
      }
      device.upload(h.data(), e.getValue());
    }
  }

  /** Copies the parameters back to the host; waits for the device. */
  public Model toModel() {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    parameters.forEach(
        (name, t) -> out.put(name, new HostTensor(t.shape(), device.downloadFloats(t))));
    return new Model(model.graph(), out, model.metadata());
  }

  /** Bytes of device memory that the parameters hold. */
  public long bytes() {
    return arena.bytes();
  }

  @Override
  public void close() {
    arena.close();
  }
}
