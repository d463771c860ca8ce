package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.MixedPrecision;
import dev.secateur.nn.op.Fit;
import dev.secateur.nn.op.ParameterCut;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.nio.IntBuffer;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A model whose parameters lie on a device, with what optimisers keep of them. The trainable ones
 * are views of one flat tensor, so that an optimiser needs one kernel for all of them, and so are
 * the running statistics.
 */
public final class Network implements AutoCloseable {
  /** SGD's momentum, or AdamW's mean of gradients. */
  static final String MOMENTUM = "momentum";

  /** AdamW's mean of squared gradients. */
  static final String SQUARES = "squares";

  private final Device device;
  private final Graph graph;
  private final Map<String, String> metadata;
  private final Arena arena;
  private final Tensor flat;
  private final long decayed;
  private final Tensor running;
  private final Map<String, Tensor> parameters = new LinkedHashMap<>();

  /** What optimisers keep of every trainable parameter, laid out as {@link #flat}, by name. */
  private final Map<String, Tensor> moments = new LinkedHashMap<>();

  public Network(Device device, Model model) {
    this(device, model.graph(), shapes(model), model.metadata());
    try {
      load(model);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /** With zeros for parameters. */
  private Network(
      Device device, Graph graph, Map<String, Shape> shapes, Map<String, String> metadata) {
    this.device = device;
    this.graph = graph;
    this.metadata = metadata;
    this.arena = device.newArena();
    try {
      long first = 0;
      long trainable = 0;
      for (Map.Entry<String, Shape> e : shapes.entrySet()) {
        trainable += ParameterShapes.trainable(e.getKey()) ? padded(e.getValue()) : 0;
        first += ParameterShapes.decays(e.getKey(), e.getValue()) ? padded(e.getValue()) : 0;
      }
      long statistics = 0;
      for (Map.Entry<String, Shape> e : shapes.entrySet()) {
        statistics += ParameterShapes.running(e.getKey()) ? padded(e.getValue()) : 0;
      }
      decayed = first;
      flat = arena.floats(Math.max(1, trainable));
      running = arena.floats(Math.max(1, statistics));
      place(shapes);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  private static Map<String, Shape> shapes(Model model) {
    Map<String, Shape> out = new LinkedHashMap<>();
    model.parameters().forEach((name, t) -> out.put(name, t.shape()));
    return out;
  }

  private void place(Map<String, Shape> shapes) {
    long first = 0;
    long second = decayed;
    long third = 0;
    for (Map.Entry<String, Shape> e : shapes.entrySet()) {
      Shape shape = e.getValue();
      if (ParameterShapes.decays(e.getKey(), shape)) {
        parameters.put(e.getKey(), flat.view(first, shape));
        first += padded(shape);
      } else if (ParameterShapes.trainable(e.getKey())) {
        parameters.put(e.getKey(), flat.view(second, shape));
        second += padded(shape);
      } else if (ParameterShapes.running(e.getKey())) {
        parameters.put(e.getKey(), running.view(third, shape));
        third += padded(shape);
      } else {
        parameters.put(e.getKey(), arena.allocate(shape, DType.F32, Layout.PLAIN));
      }
    }
  }

  /** Elements that a parameter takes of a flat vector: its own, and zeros behind them. */
  static long padded(Shape shape) {
    return Fit.up(shape.elements(), MixedPrecision.UNIT);
  }

  public Device device() {
    return device;
  }

  public Graph graph() {
    return graph;
  }

  public Map<String, String> metadata() {
    return metadata;
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

  /**
   * All trainable parameters as one vector, those that weight decay is meant for first, with zeros
   * between them for alignment.
   */
  Tensor flat() {
    return flat;
  }

  /** So many elements of {@link #flat} are of parameters that weight decay is meant for. */
  long decayed() {
    return decayed;
  }

  /** The running statistics of all batch norms as one vector, with zeros between them. */
  Tensor running() {
    return running;
  }

  /**
   * What an optimiser keeps of all trainable parameters, laid out as {@link #flat}; zero until
   * trained.
   *
   * @param kind {@link #MOMENTUM} or {@link #SQUARES}
   */
  Tensor moment(String kind) {
    return moments.computeIfAbsent(kind, k -> arena.floats(flat.elements()));
  }

  /** The momentum of a trainable parameter, in its shape; a view that training changes. */
  public Tensor momentum(String parameter) {
    return partOf(moment(MOMENTUM), parameter);
  }

  /** The mean of squared gradients of a trainable parameter, which AdamW keeps, likewise. */
  public Tensor squares(String parameter) {
    return partOf(moment(SQUARES), parameter);
  }

  /** Enqueues setting all that optimisers keep to zero, as at the start of a training. */
  public void clearMomentum() {
    moments.values().forEach(m -> device.moves().fill(m, 0).launch());
  }

  /** A network of the same parameters, without what optimisers keep; nothing leaves the device. */
  public Network copy() {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    parameters.forEach((name, t) -> shapes.put(name, t.shape()));
    Network out = new Network(device, graph, shapes, metadata);
    try {
      out.copyFrom(this);
      return out;
    } catch (RuntimeException e) {
      throw Cleanup.after(e, out);
    }
  }

  /** Enqueues taking over all parameters of a network of the same graph. */
  public void copyFrom(Network other) {
    other.parameters.forEach((name, t) -> device.moves().copy(t, parameter(name)).launch());
  }

  /**
   * A network of the rest of this one's parameters, momentum and running statistics, each taken
   * from tensor to tensor on the device: nothing but lists of indices is copied to it, nothing from
   * it, and nothing is waited for. This network stays as it is.
   *
   * @param smaller the structure of the result
   * @param keep what stays of a parameter, by name; those not named stay whole
   * @throws IllegalArgumentException when what is kept does not fit the structure
   */
  public Network cut(Graph smaller, Map<String, ParameterCut> keep) {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Map<String, Tensor> stay = new LinkedHashMap<>(parameters);
    stay.keySet().removeIf(name -> !smaller.owns(name));
    stay.forEach(
        (name, t) ->
            shapes.put(name, keep.containsKey(name) ? keep.get(name).of(t.shape()) : t.shape()));
    ParameterShapes.of(smaller)
        .forEach(
            (name, shape) -> {
              if (!name.startsWith("input.") && !shape.equals(shapes.get(name))) {
                throw new IllegalArgumentException(
                    name + ": expected " + shape + ", kept " + shapes.get(name));
              }
            });
    Network out = new Network(device, smaller, shapes, metadata);
    try (Arena scratch = device.newArena()) {
      Gathering gather = new Gathering(device, scratch);
      stay.forEach(
          (name, t) -> {
            Optional<ParameterCut> cut = Optional.ofNullable(keep.get(name));
            gather.move(t, cut, out.parameter(name));
            if (ParameterShapes.trainable(name)) {
              moments.forEach(
                  (kind, m) ->
                      gather.move(partOf(m, name), cut, out.partOf(out.moment(kind), name)));
            }
          });
      return out;
    } catch (RuntimeException e) {
      throw Cleanup.after(e, out);
    }
  }

  /** Cuts of tensors on a device; an index list is uploaded once. */
  private static final class Gathering {
    private final Device device;
    private final Arena scratch;

    /** By content, which is what an {@link IntBuffer} equals by. */
    private final Map<IntBuffer, Tensor> lists = new HashMap<>();

    Gathering(Device device, Arena scratch) {
      this.device = device;
      this.scratch = scratch;
    }

    void move(Tensor from, Optional<ParameterCut> cut, Tensor to) {
      boolean first = cut.isPresent() && cut.get().cutsFirst(from.shape());
      boolean second = cut.isPresent() && cut.get().cutsSecond(from.shape());
      if (!first && !second) {
        device.moves().copy(from, to).launch();
        return;
      }
      Tensor rows = from;
      if (first) {
        int[] keep = cut.get().first();
        Shape shape = from.shape().with(0, keep.length);
        rows = second ? scratch.allocate(shape, DType.F32, Layout.PLAIN) : to;
        device.moves().gather(from, 0, list(keep), rows).launch();
      }
      if (second) {
        device.moves().gather(rows, 1, list(cut.get().second().get()), to).launch();
      }
    }

    private Tensor list(int[] indices) {
      return lists.computeIfAbsent(
          IntBuffer.wrap(indices),
          k -> {
            Tensor t = scratch.allocate(Shape.of(indices.length), DType.I32, Layout.PLAIN);
            device.upload(indices, t);
            return t;
          });
    }
  }

  /**
   * The part of {@code other}, a vector as long as {@link #flat()}, that belongs to a trainable
   * parameter: its gradient or momentum.
   */
  Tensor partOf(Tensor other, String parameter) {
    return partOf(other, parameter, parameter(parameter).shape());
  }

  /**
   * The same with zeros that lie behind it.
   *
   * @param shape of no more elements than {@link #padded}
   */
  Tensor partOf(Tensor other, String parameter, Shape shape) {
    return other.view(offset(flat, parameter, shape), shape);
  }

  /** A vector, trainable or a running statistic, likewise. */
  Tensor wide(String parameter, Shape shape) {
    Tensor all = ParameterShapes.running(parameter) ? running : flat;
    return all.view(offset(all, parameter, shape), shape);
  }

  private long offset(Tensor all, String parameter, Shape shape) {
    Tensor own = parameter(parameter);
    if (shape.elements() > padded(own.shape())) {
      throw new IllegalArgumentException(parameter + ": " + shape + " has no room");
    }
    return (own.byteOffset() - all.byteOffset()) / own.dtype().bytes();
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

  /**
   * Copies of all parameters and of what optimisers keep of them, by name behind {@code PREFIX/}
   * and the kind; waits for the device.
   */
  public Map<String, HostTensor> state(String prefix) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    stateful(prefix)
        .forEach((n, t) -> out.put(n, new HostTensor(t.shape(), device.downloadFloats(t))));
    return out;
  }

  /**
   * Puts back what {@link #state} took of a network whose optimiser is the same.
   *
   * @throws IllegalArgumentException for a tensor that is missing or of another shape
   */
  public void restore(String prefix, Map<String, HostTensor> state) {
    stateful(prefix)
        .forEach(
            (name, t) -> {
              HostTensor h = state.get(name);
              if (h == null || !h.shape().equals(t.shape())) {
                throw new IllegalArgumentException(
                    name + ": expected " + t.shape() + ", got " + (h == null ? "none" : h.shape()));
              }
              device.upload(h.data(), t);
            });
  }

  /** What training changes, by the names that {@link #state} has. */
  private Map<String, Tensor> stateful(String prefix) {
    Map<String, Tensor> out = new LinkedHashMap<>();
    parameters.forEach((name, t) -> out.put(prefix + "/" + name, t));
    moments.forEach(
        (kind, m) ->
            parameters.keySet().stream()
                .filter(ParameterShapes::trainable)
                .forEach(name -> out.put(kind + "/" + name, partOf(m, name))));
    return out;
  }

  /** Copies the parameters back to the host; waits for the device. */
  public Model toModel() {
    HostParameters host = new HostParameters(this);
    Map<String, HostTensor> out = new LinkedHashMap<>();
    parameters.forEach((name, t) -> out.put(name, new HostTensor(t.shape(), host.of(name))));
    return new Model(graph, out, metadata);
  }

  /** Bytes of device memory that the parameters and their momentum hold. */
  public long bytes() {
    return arena.bytes();
  }

  @Override
  public void close() {
    arena.close();
  }
}
