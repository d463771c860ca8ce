package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.HostBuffer;
import dev.secateur.device.Kernel;
import dev.secateur.device.Targets;
import dev.secateur.nn.SlabPool.Slab;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Gradients;
import dev.secateur.nn.op.Operands;
import dev.secateur.nn.op.TrainingOperands;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One training step of a network, compiled for a batch size: forward with batch statistics, softmax
 * cross-entropy or {@link Imitation}, backward, what a penalty adds to the gradients, the
 * optimiser's step. {@link #step} only launches kernels; it changes the network's parameters,
 * momentum and running statistics in place. ReLU is fused behind batch norm and add. Gradients
 * share memory as soon as they have been used.
 *
 * <p>Where the device computes in another type or layout than parameters have ({@link
 * dev.secateur.device.MixedPrecision}), every step begins with one kernel that copies them; the
 * loss and SGD stay in F32. In half precision the loss is scaled, and a step whose gradients
 * overflow changes no parameter.
 */
public final class TrainingProgram implements AutoCloseable {
  private final Network net;
  private final Graph graph;
  private final Widths widths;
  private final Device device;
  private final Arena arena;
  private final SlabPool pool;
  private final int batch;
  private final BatchInput input;
  private final Tensor metrics;
  private final Tensor output;
  private final Tensor learningRate;
  private final TrainingParameters parameters;
  private final Kernel clearMetrics;
  private final Optional<PenaltyStep> penalty;
  private final Optional<InferenceProgram> teacher;
  private final Kernel forwardOnly;
  private final Kernel pass;
  private final Kernel step;

  private final Map<String, Tensor> values = new HashMap<>();

  /** The activation that runs with a batch norm or add, by the latter's name. */
  private final Map<String, Node> fused = new HashMap<>();

  private final Set<String> absorbed = new HashSet<>();
  private final Set<String> learns = new HashSet<>();
  private final Map<String, Kernel> forward = new HashMap<>();
  private final List<Kernel> backward = new ArrayList<>();

  /** What the parameters of nodes begin with whose gradients are written. */
  private final Set<String> emitted = new HashSet<>();

  private final Map<String, Gradient> pending = new HashMap<>();

  private record Gradient(Tensor tensor, Slab slab) {}

  /** What the running statistics take of a batch, where not as the network says. */
  private final Optional<Float> normMomentum;

  private TrainingProgram(
      Network net,
      Widths widths,
      int batch,
      Learning learning,
      int cropPadding,
      Companions with,
      Optional<Float> normMomentum,
      Arena arena) {
    this.normMomentum = normMomentum;
    this.net = net;
    this.graph = net.graph();
    this.device = net.device();
    this.batch = batch;
    this.arena = arena;
    this.pool = new SlabPool(arena);
    String input = graph.input().name();
    this.input = BatchInput.of(graph.shape(input).with(0, batch), true, with.mixes(), arena);
    this.metrics = arena.doubles(4);
    this.learningRate = arena.floats(1);
    this.clearMetrics = device.moves().fill(metrics, 0);
    this.widths = widths;
    this.parameters = new TrainingParameters(net, widths, arena);
    planFusion();
    graph.nodes().forEach(this::place);
    TrainingInput images = new TrainingInput(this.input, cropPadding);
    forward.put(input, images.into(device, InputScale.of(net, arena), values.get(input), arena));
    this.teacher =
        with.imitates() || learning.distillation().isPresent()
            ? Optional.of(InferenceProgram.compile(with.teacher().orElseThrow(), batch, images))
            : Optional.empty();
    List<Kernel> loss = new ArrayList<>();
    this.output = narrow(values.get(graph.output().name()), loss);
    contribute(graph.output().name(), widened(loss(learning, with.imitates(), loss), loss));
    List<Node> nodes = graph.nodes();
    for (int i = nodes.size() - 1; i > 0; i--) {
      if (!absorbed.contains(nodes.get(i).name())) {
        emit(nodes.get(i));
      }
    }
    List<Kernel> kernels = new ArrayList<>();
    parameters.pack().ifPresent(kernels::add);
    nodes.stream().map(n -> forward.get(n.name())).filter(k -> k != null).forEach(kernels::add);
    this.forwardOnly = device.sequence(kernels, arena);
    teacher.ifPresent(t -> t.steps().forEach(s -> kernels.add(s.kernel())));
    kernels.addAll(loss);
    kernels.addAll(backward);
    parameters.unpack().ifPresent(kernels::add);
    this.pass = device.sequence(kernels, arena);
    List<Kernel> whole = new ArrayList<>(kernels);
    this.penalty = learning.penalty().map(parameters::step);
    penalty.ifPresent(p -> whole.add(p.kernel()));
    whole.add(parameters.update(learning, learningRate));
    with.average().ifPresent(a -> whole.addAll(follow(a, learning.ema())));
    this.step = device.sequence(whole, arena);
    device.synchronize();
  }

  /** The network's result with the channels of its own alone. */
  private Tensor narrow(Tensor result, List<Kernel> out) {
    Shape own = graph.shape(graph.output().name()).with(0, batch);
    if (result.shape().equals(own)) {
      return result;
    }
    Tensor narrow = arena.allocate(own, result.dtype(), result.layout());
    out.add(
        device
            .moves()
            .sliceChannels(
                Operands.image(device, result), 0, own.dim(1), Operands.image(device, narrow)));
    return narrow;
  }

  /** A gradient by {@link #output} as one by the result that it comes from. */
  private Gradient widened(Gradient g, List<Kernel> out) {
    Shape wide = widths.shape(graph.output().name()).with(0, batch);
    long own = g.tensor().shape().dim(1);
    if (wide.dim(1) == own) {
      return g;
    }
    Gradient whole = fresh(wide, g.tensor().layout());
    Tensor to = Operands.image(device, whole.tensor());
    out.add(device.moves().sliceChannels(Operands.image(device, g.tensor()), 0, own, to));
    pool.release(g.slab());
    return whole;
  }

  /**
   * The loss of {@link #output}, which is in F32 for this.
   *
   * @return its gradient
   */
  private Gradient loss(Learning learning, boolean imitates, List<Kernel> out) {
    Tensor logits = output;
    if (output.dtype() != DType.F32) {
      logits = arena.allocate(output.shape(), DType.F32, output.layout());
      out.add(device.moves().copy(output, logits));
    }
    Gradient gradient = fresh(logits.shape(), logits.layout());
    boolean narrow = gradient.tensor().dtype() != DType.F32;
    Tensor single =
        narrow ? arena.allocate(logits.shape(), DType.F32, logits.layout()) : gradient.tensor();
    out.add(
        imitates
            ? Imitation.loss(
                device,
                graph,
                logits,
                teacher.orElseThrow().output(),
                labels(),
                metrics,
                Optional.of(single),
                arena)
            : device
                .training()
                .crossEntropy(logits, labels(), targets(learning), metrics, Optional.of(single)));
    if (narrow) {
      out.add(parameters.scaleLoss(single, gradient.tensor()));
    }
    return gradient;
  }

  private Targets targets(Learning learning) {
    return new Targets(
        learning.labelSmoothing(),
        input.mixing().map(m -> new Targets.Mix(m.labels(), m.shares())),
        learning
            .distillation()
            .map(
                d ->
                    new Targets.Teacher(
                        teacher.orElseThrow().output(), d.temperature(), d.weight())));
  }

  /** The average of a network moves towards it, parameters and running statistics alike. */
  private List<Kernel> follow(Network average, float keep) {
    Tensor share = arena.floats(1);
    device.upload(new float[] {1 - keep}, share);
    return List.of(
        device.training().average(average.flat(), net.flat(), share),
        device.training().average(average.running(), net.running(), share));
  }

  /**
   * What else has a part in a training.
   *
   * @param teacher whose logits or outputs are imitated, as many; as it is at compile time
   * @param average a copy of the network that follows it, where {@link Learning#ema} is not 0
   * @param mixes whether images are mixed by {@link TrainingProgram#mixing}
   * @param imitates whether the loss is {@link Imitation} of the teacher, whatever labels say
   */
  public record Companions(
      Optional<Network> teacher, Optional<Network> average, boolean mixes, boolean imitates) {
    public static final Companions NONE =
        new Companions(Optional.empty(), Optional.empty(), false, false);
  }

  /**
   * @param batch images a step, at least 2
   * @param cropPadding zero pixels around an image that {@link #crops} may reach into
   */
  public static TrainingProgram compile(
      Network net, int batch, Learning learning, int cropPadding) {
    return compile(net, batch, learning, cropPadding, Companions.NONE);
  }

  /** The same with more. */
  public static TrainingProgram compile(
      Network net, int batch, Learning learning, int cropPadding, Companions with) {
    return compile(net, batch, learning, cropPadding, with, Optional.empty());
  }

  /** Whose running statistics are those of the last batch; for {@link #forward} only. */
  static TrainingProgram ofNorms(Network net, int batch) {
    Learning none = Learning.sgd(0, false, 0, false, 0);
    return compile(net, batch, none, 0, Companions.NONE, Optional.of(1f));
  }

  private static TrainingProgram compile(
      Network net,
      int batch,
      Learning learning,
      int cropPadding,
      Companions with,
      Optional<Float> normMomentum) {
    Widths widths = Widths.of(net.graph(), net.device());
    BatchLimit.require(net.graph(), widths, batch, net.device());
    Arena arena = net.device().newArena();
    try {
      return new TrainingProgram(
          net, widths, batch, learning, cropPadding, with, normMomentum, arena);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /** All that is read of a batch. */
  public BatchInput input() {
    return input;
  }

  /** The input: U8 (batch,C,H,W), PLAIN. */
  public Tensor pixels() {
    return input.pixels();
  }

  /**
   * I32 (batch,3): see {@link dev.secateur.device.Moves#imageInput}; all zero takes the images as
   * they are.
   */
  public Tensor crops() {
    return input.crops().orElseThrow();
  }

  /** I32 (batch). */
  public Tensor labels() {
    return input.labels();
  }

  /** How images are mixed, where they are. */
  public Optional<Mixing> mixing() {
    return input.mixing();
  }

  /** F64 (4), gathered over steps: loss, top-1 hits, top-5 hits, rows. */
  public Tensor metrics() {
    return metrics;
  }

  /**
   * Gradient of the mean loss by a trainable parameter, in the parameter's shape; after {@link
   * #step} with that of the penalty.
   */
  public Tensor gradient(String parameter) {
    return parameters.of(parameter);
  }

  /** Logits (batch, classes) of the last step. */
  public Tensor output() {
    return output;
  }

  /** Bytes of device memory held. */
  public long bytes() {
    return arena.bytes();
  }

  /**
   * What the loss is multiplied with in the next step, 1 where it is not scaled; waits for the
   * device.
   */
  public float lossScale() {
    return parameters.lossScale();
  }

  /** For the steps that follow. */
  public void setLearningRate(float lr) {
    device.upload(new float[] {lr}, learningRate);
  }

  /** The penalty's, where there is one, for the steps that follow; at first that of its begin. */
  public void setPenalty(float strength) {
    penalty.ifPresent(p -> p.set(strength));
  }

  /** Enqueues setting {@link #metrics} to zero. */
  public void clearMetrics() {
    clearMetrics.launch();
  }

  /** Enqueues the forward pass, which changes the running statistics only. */
  void forward() {
    forwardOnly.launch();
  }

  /** Enqueues forward, loss and backward, without changing trainable parameters. */
  public void backpropagate() {
    pass.launch();
  }

  /** Enqueues a whole training step. */
  public void step() {
    step.launch();
  }

  /**
   * Copies of all that a step changes, but for {@link #metrics}: parameters, running statistics,
   * momentum and the scale of the loss, by name. Waits for the device.
   */
  public Map<String, HostTensor> state() {
    Map<String, HostTensor> out = net.state("parameters");
    parameters.addState(out);
    return out;
  }

  /**
   * Puts back what {@link #state} took, and the sums of {@link #metrics}.
   *
   * @throws IllegalArgumentException where it is of another network
   */
  public void restore(Map<String, HostTensor> state, double[] sums) {
    net.restore("parameters", state);
    parameters.restore(state);
    try (HostBuffer host = device.hostBuffer(metrics.bytes())) {
      host.bytes().asDoubleBuffer().put(sums);
      device.upload(host, metrics);
      host.awaitRead();
    }
  }

  @Override
  public void close() {
    teacher.ifPresent(InferenceProgram::close);
    arena.close();
  }

  // ---- planning --------------------------------------------------------------------------------

  private void planFusion() {
    for (Node n : graph.nodes()) {
      boolean trainable =
          ParameterShapes.of(graph, n).keySet().stream().anyMatch(ParameterShapes::trainable);
      if (trainable || n.inputs().stream().anyMatch(learns::contains)) {
        learns.add(n.name());
      }
      List<Node> readers = graph.consumers(n.name());
      if (readers.size() == 1 && readers.get(0).op() instanceof Activate a) {
        boolean norm = n.op() instanceof BatchNorm && a.activation() == Activation.RELU;
        if (norm || n.op() instanceof Add) {
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
    Shape shape = widths.shape(n.name()).with(0, batch);
    Tensor value;
    if (graph.isView(n)) {
      Tensor x = values.get(n.inputs().get(0));
      Layout layout = shape.rank() == 4 ? x.layout() : Layout.PLAIN;
      value = new Tensor(x.buffer(), x.byteOffset(), shape, x.dtype(), layout);
    } else {
      value = arena.allocate(shape, graph.typeOf(n, device), layout(shape));
    }
    values.put(result(n), value);
  }

  private Layout layout(Shape shape) {
    return shape.rank() == 4 ? device.activationLayout() : Layout.PLAIN;
  }

  private Gradient fresh(Shape shape, Layout layout) {
    DType type = device.activationType();
    Slab slab = pool.take(shape.elements() * type.bytes());
    return new Gradient(slab.as(shape, type, layout), slab);
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
    backward.add(
        device.pointwise().add(earlier.tensor(), g.tensor(), Activation.NONE, sum.tensor()));
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
    Gradient g = pending.remove(result(n));
    if (g == null && learns.contains(n.name())) {
      return; // nothing that counts reads it
    }
    if (g == null) {
      g = freshFor(result(n)); // computed forward only; what goes back is dropped
    }
    if (graph.isView(n)) {
      Tensor x = values.get(n.inputs().get(0));
      Tensor view = g.slab().as(x.shape(), x.dtype(), x.layout());
      contribute(n.inputs().get(0), new Gradient(view, g.slab().share()));
    } else {
      Node wide = widths.node(n);
      Around around = new Around(wide, g);
      wide.op().train(around);
      around.sums().forEach(backward::add);
    }
    pool.release(g.slab());
  }

  private static Gradient shared(Gradient g) {
    return new Gradient(g.tensor(), g.slab().share());
  }

  /** The gradient in front of an activation: in place where nobody else reads {@code g}. */
  private Gradient unactivated(Activation a, Tensor y, Gradient g) {
    Gradient dx = g.slab().shared() ? fresh(y.shape(), y.layout()) : shared(g);
    backward.add(device.pointwise().activationBackward(a, y, g.tensor(), dx.tensor()));
    return dx;
  }

  /** A node in this program, as its operation sees it. */
  private final class Around implements TrainingOperands {
    private final Node n;
    private final Gradient g;
    private final Operands operands;
    private final Gradients gradients;
    private final List<Kernel> sums = new ArrayList<>();
    private final Map<Integer, Gradient> taken = new HashMap<>();

    Around(Node n, Gradient g) {
      this.n = n;
      this.g = g;
      List<Tensor> x = n.inputs().stream().map(values::get).toList();
      this.operands =
          new Operands(
              device, arena, parameters, n.owner(), x, widths.reads(n), values.get(result(n)));
      this.gradients = emitted.add(n.owner()) ? parameters : new Further();
    }

    @Override
    public Operands operands() {
      return operands;
    }

    @Override
    public Gradients gradients() {
      return gradients;
    }

    /** Kernels behind the node's that add its gradients to those of nodes with its parameters. */
    List<Kernel> sums() {
      return sums;
    }

    /** Gradients of a node whose parameters have some already, of another node. */
    private final class Further implements Gradients {
      @Override
      public Tensor ofFilters(String parameter) {
        return added(parameters.ofFilters(parameter));
      }

      @Override
      public Tensor ofVector(String parameter) {
        return added(parameters.ofVector(parameter));
      }

      @Override
      public Tensor of(String parameter) {
        return added(parameters.of(parameter));
      }

      private Tensor added(Tensor sum) {
        Tensor own = arena.allocate(sum.shape(), sum.dtype(), sum.layout());
        sums.add(device.pointwise().add(own, sum, Activation.NONE, sum));
        return own;
      }
    }

    @Override
    public Tensor dy() {
      return g.tensor();
    }

    @Override
    public Activation fused() {
      return fused.containsKey(n.name())
          ? ((Activate) fused.get(n.name()).op()).activation()
          : Activation.NONE;
    }

    @Override
    public Optional<Float> normMomentum() {
      return normMomentum;
    }

    @Override
    public Tensor own(String part) {
      return net.parameter(n.parameter(part));
    }

    @Override
    public Tensor wide(String part) {
      return parameters.wide(n.parameter(part));
    }

    @Override
    public boolean learns(int input) {
      return learns.contains(n.inputs().get(input));
    }

    @Override
    public Tensor gradient(int input) {
      return taken.computeIfAbsent(input, i -> freshFor(n.inputs().get(i))).tensor();
    }

    @Override
    public void contribute(int input) {
      TrainingProgram.this.contribute(n.inputs().get(input), taken.remove(input));
    }

    @Override
    public void passOn(Activation activation) {
      List<Gradient> each = new ArrayList<>();
      each.add(
          activation == Activation.NONE ? shared(g) : unactivated(activation, operands.y(), g));
      while (each.size() < n.inputs().size()) {
        each.add(shared(each.get(0)));
      }
      for (int i = 0; i < each.size(); i++) {
        TrainingProgram.this.contribute(n.inputs().get(i), each.get(i));
      }
    }

    @Override
    public void forward(Kernel kernel) {
      forward.put(n.name(), kernel);
    }

    @Override
    public void backward(Kernel kernel) {
      backward.add(kernel);
    }
  }
}
