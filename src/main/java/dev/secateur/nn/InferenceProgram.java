package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Operands;
import dev.secateur.tensor.DType;
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
 * A network compiled for inference at one batch size: batch norm folded into the convolution before
 * it, bias, residual add and ReLU fused behind it, activations sharing memory as soon as their last
 * reader has run. {@link #run} only launches kernels, as one {@link Device#sequence}. The
 * parameters are those at compile time, in the device's type of activations. Logits and pooled
 * features are in single precision whatever that type is.
 */
public final class InferenceProgram implements AutoCloseable {
  private final Network net;
  private final Graph graph;
  private final Device device;
  private final Arena arena;
  private final int batch;
  private final List<Step> steps = new ArrayList<>();
  private final BatchInput input;
  private final Optional<Tensor> features;
  private final Widths widths;
  private final Optional<ForwardHook> hook;

  /** Where the pooled channels of hooked nodes begin. */
  private final Map<String, Long> columns = new HashMap<>();

  /** Hooked nodes that are pooled while the norm behind them reads them. */
  private final Set<String> pooledByReader = new HashSet<>();

  private final Map<String, Tensor> values = new HashMap<>();
  private final Map<String, SlabPool.Slab> slabs = new HashMap<>();
  private final SlabPool pool;
  private final Snapshots parameters;
  private final Map<String, Integer> readsLeft = new HashMap<>();
  private final Tensor output;
  private final Kernel all;

  /** Which step computes a node; views of its result lie there too. */
  private final Map<String, Integer> stepOf = new HashMap<>();

  private final Optional<TrainingInput> shared;

  private InferenceProgram(
      Network net,
      Widths widths,
      int batch,
      Optional<ForwardHook> hook,
      Optional<TrainingInput> shared,
      Arena arena) {
    this.net = net;
    this.graph = net.graph();
    this.device = net.device();
    this.batch = batch;
    this.arena = arena;
    this.pool = new SlabPool(arena);
    this.widths = widths;
    this.parameters = new Snapshots(net, widths, arena);
    Shape in = graph.shape(graph.input().name()).with(0, batch);
    this.shared = shared;
    this.input =
        shared.map(TrainingInput::batch).orElseGet(() -> BatchInput.of(in, false, false, arena));
    this.hook = hook;
    long p = 0;
    for (String c : hook.map(ForwardHook::nodes).orElse(List.of())) {
      columns.put(c, p);
      p += graph.shape(c).dim(1);
    }
    this.features = p == 0 ? Optional.empty() : Optional.of(arena.floats(batch, p));
    InferencePlan plan = InferencePlan.of(graph, columns.keySet());
    columns.keySet().stream().filter(this::normReads).forEach(pooledByReader::add);
    plan.entries().forEach(e -> e.reads().forEach(r -> readsLeft.merge(r, 1, Integer::sum)));
    readsLeft.merge(graph.output().name(), 1, Integer::sum);
    for (InferencePlan.Entry e : plan.entries()) {
      emit(e);
      Node n = e.end();
      if (columns.containsKey(n.name()) && !pooledByReader.contains(n.name())) {
        Tensor x = values.get(n.name());
        Tensor f = features.orElseThrow();
        long own = widths.own(n.name());
        step(
            device
                .reductions()
                .poolFeatures(hook.orElseThrow().kind(), x, own, f, columns.get(n.name())),
            List.of(),
            List.of(x),
            own * batch * Float.BYTES,
            f);
      }
    }
    this.output = single(narrow(values.get(graph.output().name())));
    this.all = device.sequence(steps.stream().map(Step::kernel).toList(), arena);
    device.synchronize();
  }

  /**
   * @param hook which nodes to pool into {@link #features}; nothing behind them is fused into them
   */
  public static InferenceProgram compile(Network net, int batch, Optional<ForwardHook> hook) {
    return compile(net, batch, hook, Optional.empty());
  }

  /** Of the images that a training step learns from, as it sees them. */
  static InferenceProgram compile(Network net, int batch, TrainingInput shared) {
    return compile(net, batch, Optional.empty(), Optional.of(shared));
  }

  /**
   * Of another network, reading the batch that this program reads.
   *
   * @param other with the same input; both programs are closed apart
   */
  public InferenceProgram beside(Network other) {
    return compile(other, batch, new TrainingInput(input, 0));
  }

  private static InferenceProgram compile(
      Network net, int batch, Optional<ForwardHook> hook, Optional<TrainingInput> shared) {
    Widths widths = Widths.of(net.graph(), net.device());
    BatchLimit.require(net.graph(), widths, batch, net.device());
    Arena arena = net.device().newArena();
    try {
      return new InferenceProgram(net, widths, batch, hook, shared, arena);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, arena);
    }
  }

  /** What is read of a batch, and a place for its labels, which the program does not read. */
  public BatchInput input() {
    return input;
  }

  /** The input: U8 (batch,C,H,W), PLAIN. */
  public Tensor pixels() {
    return input.pixels();
  }

  /** Logits (batch, classes). */
  public Tensor output() {
    return output;
  }

  /**
   * Pooled channels (batch, p).
   *
   * @throws IllegalStateException when compiled without a hook
   */
  public Tensor features() {
    return features.orElseThrow(() -> new IllegalStateException("compiled without a forward hook"));
  }

  /** Bytes of device memory held. */
  public long bytes() {
    return arena.bytes();
  }

  /** Enqueues one forward pass. */
  public void run() {
    all.launch();
  }

  /** What {@link #run} launches, in order; every node of the graph is in exactly one step. */
  public List<Step> steps() {
    return List.copyOf(steps);
  }

  @Override
  public void close() {
    arena.close();
  }

  // ---- planning --------------------------------------------------------------------------------

  private boolean normReads(String hooked) {
    List<Node> readers = graph.consumers(hooked);
    return readers.size() == 1 && readers.get(0).op() instanceof BatchNorm;
  }

  private Tensor take(Node n) {
    long elements = widths.shape(n.name()).with(0, batch).elements();
    slabs.put(n.name(), pool.take(elements * graph.typeOf(n, device).bytes()));
    return in(slabs.get(n.name()), n);
  }

  /** The memory of a node's first input, if nothing else reads it. */
  private Tensor takeOver(Node n) {
    String source = n.inputs().get(0);
    if (readsLeft.get(source) > 1 || !slabs.containsKey(source)) {
      return take(n);
    }
    slabs.put(n.name(), slabs.remove(source));
    return in(slabs.get(n.name()), n);
  }

  private Tensor in(SlabPool.Slab slab, Node n) {
    Shape shape = widths.shape(n.name()).with(0, batch);
    Layout layout = shape.rank() == 4 ? device.activationLayout() : Layout.PLAIN;
    return slab.as(shape, graph.typeOf(n, device), layout);
  }

  /** The network's result with the channels of its own alone. */
  private Tensor narrow(Tensor result) {
    Shape own = graph.shape(graph.output().name()).with(0, batch);
    if (result.shape().equals(own)) {
      return result;
    }
    Tensor out = arena.allocate(own, result.dtype(), result.layout());
    Kernel slice =
        device
            .moves()
            .sliceChannels(
                Operands.image(device, result), 0, own.dim(1), Operands.image(device, out));
    step(slice, List.of(), List.of(result), out.bytes(), out);
    return out;
  }

  /** The network's result in F32. */
  private Tensor single(Tensor result) {
    if (result.dtype() == DType.F32) {
      return result;
    }
    Tensor out = arena.allocate(result.shape(), DType.F32, result.layout());
    step(device.moves().copy(result, out), List.of(), List.of(result), out.bytes(), out);
    return out;
  }

  private void release(String name) {
    if (readsLeft.merge(name, -1, Integer::sum) == 0 && slabs.containsKey(name)) {
      pool.release(slabs.remove(name));
    }
  }

  // ---- code ------------------------------------------------------------------------------------

  private void emit(InferencePlan.Entry e) {
    Node n = e.end();
    if (e.step().isEmpty()) {
      view(n);
      return;
    }
    Tensor y = e.alone() && n.op().worksInPlace() ? takeOver(n) : take(n);
    values.put(n.name(), y);
    List<Tensor> x = new ArrayList<>(e.first().inputs().stream().map(values::get).toList());
    if (n.op() instanceof Input) {
      x.add(pixels());
    }
    Optional<Tensor> residual = e.residual().map(values::get);
    long before = parameters.bytes();
    Kernel kernel = kernel(e, x, residual, y);
    residual.ifPresent(x::add);
    step(kernel, e.nodes(), x, parameters.bytes() - before + y.bytes(), y);
    e.reads().forEach(this::release);
  }

  private void view(Node n) {
    String source = n.inputs().get(0);
    Tensor x = values.get(source);
    Shape shape = widths.shape(n.name()).with(0, batch);
    values.put(n.name(), shape.equals(x.shape()) ? x : Operands.plain(x, shape));
    int step = stepOf.get(source);
    stepOf.put(n.name(), step);
    steps.set(step, steps.get(step).with(n));
    // The view takes over the slab; with other readers of the source it is never handed out
    // again.
    SlabPool.Slab slab = slabs.remove(source);
    if (slab != null && readsLeft.get(source) == 1) {
      slabs.put(n.name(), slab);
    }
    readsLeft.merge(source, -1, Integer::sum);
  }

  /**
   * @param x what is read, wholly or in part
   * @param bytes of what is read or written beside it
   */
  private void step(Kernel kernel, List<Node> nodes, List<Tensor> x, long bytes, Tensor y) {
    long read = x.stream().distinct().mapToLong(Tensor::bytes).sum();
    nodes.forEach(n -> stepOf.put(n.name(), steps.size()));
    steps.add(new Step(kernel, nodes, y, read + bytes));
  }

  private Kernel kernel(
      InferencePlan.Entry e, List<Tensor> x, Optional<Tensor> residual, Tensor y) {
    Node first = e.first();
    if (first.op() instanceof Input && shared.isPresent()) {
      return shared.get().into(device, parameters.inputScale(), y, arena);
    }
    InferenceStep step =
        e.step()
            .orElseThrow()
            .at(
                widths.node(first).op(),
                first.inputs().stream().map(widths::shape).toList(),
                widths.shape(e.end().name()));
    Operands o = new Operands(device, arena, parameters, first.owner(), x, widths.reads(first), y);
    InferenceStep.Weights weights = weights(e, y);
    if (first.inputs().stream().noneMatch(pooledByReader::contains)) {
      return step.bind(o, residual, weights);
    }
    String from = first.inputs().get(0);
    return device
        .norms()
        .affineWithFeatures(
            step.affine(o, residual, weights),
            hook.orElseThrow().kind(),
            widths.own(from),
            features.orElseThrow(),
            columns.get(from));
  }

  private InferenceStep.Weights weights(InferencePlan.Entry e, Tensor y) {
    Node first = e.first();
    return new InferenceStep.Weights() {
      @Override
      public Snapshots.Folded convolution() {
        return parameters.folded(first.owner(), ((Convolution) first.op()).bias(), e.norm());
      }

      @Override
      public Snapshots.Folded norm() {
        return parameters.folded(first, y.shape().dim(1));
      }

      @Override
      public InputScale pixels() {
        return parameters.inputScale();
      }
    };
  }
}
