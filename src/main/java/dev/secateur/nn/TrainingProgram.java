package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Cleanup;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.nn.SlabPool.Slab;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One training step of a network, compiled for a batch size: forward with batch statistics, softmax
 * cross-entropy, backward, SGD. {@link #step} only launches kernels; it changes the network's
 * parameters and running statistics in place. ReLU is fused behind batch norm and add. Gradients
 * share memory as soon as they have been used.
 */
public final class TrainingProgram implements AutoCloseable {
  private final Network net;
  private final Graph graph;
  private final Device device;
  private final Arena arena;
  private final SlabPool pool;
  private final int batch;
  private final Tensor pixels;
  private final Tensor crops;
  private final Tensor labels;
  private final Tensor metrics;
  private final Tensor learningRate;
  private final Tensor gradients;
  private final Kernel clearMetrics;
  private final List<Kernel> kernels = new ArrayList<>();
  private final Kernel update;

  private final Map<String, Tensor> values = new HashMap<>();

  /** The activation that runs with a batch norm or add, by the latter's name. */
  private final Map<String, Node> fused = new HashMap<>();

  private final Set<String> absorbed = new HashSet<>();
  private final Set<String> learns = new HashSet<>();
  private final Map<String, Kernel> forward = new HashMap<>();
  private final List<Kernel> backward = new ArrayList<>();
  private final Map<String, Gradient> pending = new HashMap<>();

  private record Gradient(Tensor tensor, Slab slab) {}

  private TrainingProgram(Network net, int batch, Sgd sgd, int cropPadding, Arena arena) {
    this.net = net;
    this.graph = net.graph();
    this.device = net.device();
    this.batch = batch;
    this.arena = arena;
    this.pool = new SlabPool(arena);
    String input = graph.input().name();
    this.pixels = arena.allocate(graph.shape(input).with(0, batch), DType.U8, Layout.PLAIN);
    this.crops = arena.allocate(Shape.of(batch, 3), DType.I32, Layout.PLAIN);
    this.labels = arena.allocate(Shape.of(batch), DType.I32, Layout.PLAIN);
    this.metrics = arena.doubles(4);
    this.learningRate = arena.floats(1);
    this.gradients = arena.floats(net.flat().elements());
    this.clearMetrics = device.fill(metrics, 0);
    planFusion();
    graph.nodes().forEach(this::place);
    InputScale s = InputScale.of(net, arena);
    forward.put(
        input,
        device.imageInput(
            pixels, Optional.of(crops), cropPadding, s.scale(), s.shift(), values.get(input)));
    Tensor logits = values.get(graph.output().name());
    Gradient loss = fresh(logits.shape(), Layout.PLAIN);
    Kernel entropy =
        device.crossEntropy(
            logits, labels, sgd.labelSmoothing(), metrics, Optional.of(loss.tensor()));
    contribute(graph.output().name(), loss);
    List<Node> nodes = graph.nodes();
    for (int i = nodes.size() - 1; i > 0; i--) {
      if (!absorbed.contains(nodes.get(i).name())) {
        emit(nodes.get(i));
      }
    }
    nodes.stream().map(n -> forward.get(n.name())).filter(k -> k != null).forEach(kernels::add);
    kernels.add(entropy);
    kernels.addAll(backward);
    Tensor velocity = arena.floats(net.flat().elements());
    this.update =
        device.sgd(
            net.flat(),
            gradients,
            velocity,
            learningRate,
            sgd.momentum(),
            sgd.nesterov(),
            sgd.weightDecay());
    device.synchronize();
  }

  /**
   * @param batch images a step, at least 2
   * @param cropPadding zero pixels around an image that {@link #crops} may reach into
   */
  public static TrainingProgram compile(Network net, int batch, Sgd sgd, int cropPadding) {
    Arena arena = net.device().newArena();
    try {
      return new TrainingProgram(net, batch, sgd, cropPadding, arena);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /** The input: U8 (batch,C,H,W), PLAIN. */
  public Tensor pixels() {
    return pixels;
  }

  /** I32 (batch,3): see {@link Device#imageInput}; all zero takes the images as they are. */
  public Tensor crops() {
    return crops;
  }

  /** I32 (batch). */
  public Tensor labels() {
    return labels;
  }

  /** F64 (4), gathered over steps: loss, top-1 hits, top-5 hits, rows. */
  public Tensor metrics() {
    return metrics;
  }

  /** Gradient of the mean loss by a trainable parameter, in the parameter's shape. */
  public Tensor gradient(String parameter) {
    return net.partOf(gradients, parameter);
  }

  /** Logits (batch, classes) of the last step. */
  public Tensor output() {
    return values.get(graph.output().name());
  }

  /** Bytes of device memory held. */
  public long bytes() {
    return arena.bytes();
  }

  /** For the steps that follow. */
  public void setLearningRate(float lr) {
    device.upload(new float[] {lr}, learningRate);
  }

  /** Enqueues setting {@link #metrics} to zero. */
  public void clearMetrics() {
    clearMetrics.launch();
  }

  /** Enqueues forward, loss and backward, without changing trainable parameters. */
  public void backpropagate() {
    for (Kernel k : kernels) {
      k.launch();
    }
  }

  /** Enqueues a whole training step. */
  public void step() {
    backpropagate();
    update.launch();
  }

  @Override
  public void close() {
    arena.close();
  }

  // ---- planning --------------------------------------------------------------------------------

  private void planFusion() {
    for (Node n : graph.nodes()) {
      boolean trainable =
          n.op() instanceof Op.Convolution
              || n.op() instanceof Op.BatchNorm
              || n.op() instanceof Op.Linear;
      if (trainable || n.inputs().stream().anyMatch(learns::contains)) {
        learns.add(n.name());
      }
      List<Node> readers = graph.consumers(n.name());
      if (readers.size() == 1 && readers.get(0).op() instanceof Op.Activate a) {
        boolean norm = n.op() instanceof Op.BatchNorm && a.activation() == Activation.RELU;
        if (norm || n.op() instanceof Op.Add) {
          fused.put(n.name(), readers.get(0));
          absorbed.add(readers.get(0).name());
        }
      }
    }
  }

  /** The name under which a node's result, with what is fused to it, is read. */
  private String result(Node n) {
    return fused.containsKey(n.name()) ? fused.get(n.name()).name() : n.name();
  }

  private void place(Node n) {
    if (absorbed.contains(n.name())) {
      return;
    }
    Shape shape = graph.shape(n.name()).with(0, batch);
    Tensor value;
    if (isView(n)) {
      Tensor x = values.get(n.inputs().get(0));
      Layout layout = shape.rank() == 4 ? x.layout() : Layout.PLAIN;
      value = new Tensor(x.buffer(), x.byteOffset(), shape, DType.F32, layout);
    } else {
      value = arena.allocate(shape, DType.F32, layout(shape));
    }
    values.put(result(n), value);
  }

  private Layout layout(Shape shape) {
    return shape.rank() == 4 ? device.activationLayout() : Layout.PLAIN;
  }

  private boolean isView(Node n) {
    return InferenceProgram.isView(graph, n);
  }

  private Gradient fresh(Shape shape, Layout layout) {
    Slab slab = pool.take(shape.elements());
    return new Gradient(slab.as(shape, layout), slab);
  }

  private Gradient freshFor(String value) {
    Tensor v = values.get(value);
    return fresh(v.shape(), v.layout());
  }

  /** Adds to the gradient of a value; takes over the share of memory that {@code g} holds. */
  private void contribute(String value, Gradient g) {
    if (!learns.contains(value)) {
      pool.release(g.slab());
      return;
    }
    Gradient earlier = pending.get(value);
    if (earlier == null) {
      pending.put(value, g);
      return;
    }
    // the sum goes where nobody else reads
    Gradient sum = !g.slab().shared() ? g : !earlier.slab().shared() ? earlier : freshFor(value);
    backward.add(device.add(earlier.tensor(), g.tensor(), Activation.NONE, sum.tensor()));
    pending.put(value, sum);
    if (sum != g) {
      pool.release(g.slab());
    }
    if (sum != earlier) {
      pool.release(earlier.slab());
    }
  }

  // ---- code ------------------------------------------------------------------------------------

  private void emit(Node n) {
    String name = n.name();
    Gradient g = pending.remove(result(n));
    if (g == null && learns.contains(name)) {
      return; // nothing that counts reads it
    }
    if (g == null) {
      g = freshFor(result(n)); // computed forward only; what goes back is dropped
    }
    Op op = n.op();
    Tensor y = values.get(result(n));
    Tensor dy = g.tensor();
    String from = n.inputs().get(0);
    Tensor x = values.get(from);
    if (op instanceof Op.Convolution c) {
      Tensor w = net.parameter(name + ".weight");
      Epilogue e = c.bias() ? Epilogue.bias(net.parameter(name + ".bias")) : Epilogue.NONE;
      forward.put(name, device.convolution(c.spec(), x, w, e, y, false));
      backward.add(device.convolutionBackwardWeights(c.spec(), x, dy, gradient(name + ".weight")));
      bias(name, c.bias(), dy);
      if (learns.contains(from)) {
        Gradient dx = freshFor(from);
        backward.add(device.convolutionBackwardData(c.spec(), dy, w, dx.tensor()));
        contribute(from, dx);
      }
    } else if (op instanceof Op.Linear l) {
      Tensor w = net.parameter(name + ".weight");
      Epilogue e = l.bias() ? Epilogue.bias(net.parameter(name + ".bias")) : Epilogue.NONE;
      forward.put(name, device.linear(x, w, e, y));
      backward.add(device.linearBackwardWeights(x, dy, gradient(name + ".weight")));
      bias(name, l.bias(), dy);
      if (learns.contains(from)) {
        Gradient dx = freshFor(from);
        backward.add(device.linearBackwardData(dy, w, dx.tensor()));
        contribute(from, dx);
      }
    } else if (op instanceof Op.BatchNorm bn) {
      Gradient dx = freshFor(from);
      TrainingKernels k =
          device.batchNormTraining(
              x,
              net.parameter(name + ".weight"),
              net.parameter(name + ".bias"),
              net.parameter(name + ".running_mean"),
              net.parameter(name + ".running_var"),
              bn.momentum(),
              bn.eps(),
              fused.containsKey(name),
              y,
              dy,
              dx.tensor(),
              gradient(name + ".weight"),
              gradient(name + ".bias"),
              arena);
      forward.put(name, k.forward());
      backward.add(k.backward());
      contribute(from, dx);
    } else if (op instanceof Op.Activate a) {
      forward.put(name, device.activation(a.activation(), x, y));
      contribute(from, unactivated(a.activation(), y, g));
    } else if (op instanceof Op.Add) {
      Activation a =
          fused.containsKey(name)
              ? ((Op.Activate) fused.get(name).op()).activation()
              : Activation.NONE;
      forward.put(name, device.add(x, values.get(n.inputs().get(1)), a, y));
      Gradient sum = a == Activation.NONE ? shared(g) : unactivated(a, y, g);
      Gradient other = shared(sum);
      contribute(from, sum);
      contribute(n.inputs().get(1), other);
    } else if (op instanceof Op.Pool p) {
      pool(n, p.spec(), dy);
    } else if (op instanceof Op.GlobalPool p) {
      pool(n, InferenceProgram.window(p, x.shape()), dy);
    } else if (op instanceof Op.Concat) {
      List<Tensor> parts = n.inputs().stream().map(values::get).toList();
      forward.put(name, device.concat(parts, y));
      long channel = 0;
      for (String part : n.inputs()) {
        Gradient dx = freshFor(part);
        backward.add(device.sliceChannels(dy, channel, dx.tensor()));
        channel += dx.tensor().shape().dim(1);
        contribute(part, dx);
      }
    } else if (op instanceof Op.Shortcut s) {
      Gradient dx = freshFor(from);
      forward.put(name, device.shortcut(x, s.stride(), s.before(), y));
      backward.add(device.shortcutBackward(dy, s.stride(), s.before(), dx.tensor()));
      contribute(from, dx);
    } else if (isView(n)) {
      Tensor view = g.slab().as(x.shape(), x.layout());
      contribute(from, new Gradient(view, g.slab().share()));
    } else if (op instanceof Op.Flatten) {
      Gradient dx = freshFor(from);
      forward.put(name, device.copy(x, plain(y, x.shape())));
      backward.add(device.copy(plain(dy, x.shape()), dx.tensor()));
      contribute(from, dx);
    } else {
      throw new IllegalStateException("no code for " + op);
    }
    pool.release(g.slab());
  }

  private static Tensor plain(Tensor t, Shape shape) {
    return new Tensor(t.buffer(), t.byteOffset(), shape, DType.F32, Layout.PLAIN);
  }

  private static Gradient shared(Gradient g) {
    return new Gradient(g.tensor(), g.slab().share());
  }

  /** The gradient in front of an activation: in place where nobody else reads {@code g}. */
  private Gradient unactivated(Activation a, Tensor y, Gradient g) {
    Gradient dx = g.slab().shared() ? fresh(y.shape(), y.layout()) : shared(g);
    backward.add(device.activationBackward(a, y, g.tensor(), dx.tensor()));
    return dx;
  }

  private void bias(String name, boolean present, Tensor dy) {
    if (present) {
      backward.add(device.biasBackward(dy, gradient(name + ".bias")));
    }
  }

  private void pool(Node n, PoolSpec spec, Tensor dy) {
    String from = n.inputs().get(0);
    Gradient dx = freshFor(from);
    TrainingKernels k =
        device.poolTraining(spec, values.get(from), values.get(result(n)), dy, dx.tensor(), arena);
    forward.put(n.name(), k.forward());
    backward.add(k.backward());
    contribute(from, dx);
  }
}
