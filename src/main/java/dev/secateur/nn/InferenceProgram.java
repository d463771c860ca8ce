package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Norms;
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
  private final Fusion fusion;
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
  private final ForwardKernels forward;
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
    this.forward = new ForwardKernels(device, arena, parameters);
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
    this.fusion = new Fusion(graph, columns.keySet());
    columns.keySet().stream().filter(this::normReads).forEach(pooledByReader::add);
    countReads();
    for (Node n : graph.nodes()) {
      if (!fusion.visible(n)) {
        continue;
      }
      emit(n);
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
    return readers.size() == 1 && readers.get(0).op() instanceof Op.BatchNorm;
  }

  private void countReads() {
    for (Node n : graph.nodes()) {
      if (fusion.visible(n)) {
        for (String r : fusion.reads(n)) {
          readsLeft.merge(r, 1, Integer::sum);
        }
      }
    }
    readsLeft.merge(graph.output().name(), 1, Integer::sum);
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
        device.moves().sliceChannels(forward.image(result), 0, own.dim(1), forward.image(out));
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

  private void emit(Node n) {
    List<String> reads = fusion.reads(n);
    Fusion.Fused f = fusion.endingAt(n).orElse(null);
    if (f == null && graph.isView(n)) {
      Tensor x = values.get(n.inputs().get(0));
      Tensor y =
          n.op() instanceof Op.Flatten
              ? new Tensor(
                  x.buffer(),
                  x.byteOffset(),
                  widths.shape(n.name()).with(0, batch),
                  x.dtype(),
                  Layout.PLAIN)
              : x;
      values.put(n.name(), y);
      String source = n.inputs().get(0);
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
      return;
    }
    Tensor y = f == null && ForwardKernels.worksInPlace(n.op()) ? takeOver(n) : take(n);
    values.put(n.name(), y);
    List<Tensor> x = new ArrayList<>(reads.stream().map(values::get).toList());
    if (n.op() instanceof Op.Input) {
      x.add(pixels());
    }
    long before = parameters.bytes();
    Kernel kernel = f == null ? kernel(n, x, y) : fused(f, x, y);
    List<Node> nodes = f == null ? List.of(n) : f.nodes();
    step(kernel, nodes, x, parameters.bytes() - before + y.bytes(), y);
    reads.forEach(this::release);
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

  private Kernel fused(Fusion.Fused f, List<Tensor> x, Tensor y) {
    if (f.first().op() instanceof Op.Convolution c) {
      return convolution(f, c, x.get(0), y);
    }
    Norms.Affine a = affine(f, x.get(0), y);
    String from = f.first().inputs().get(0);
    return pooledByReader.contains(from)
        ? device
            .norms()
            .affineWithFeatures(
                a,
                hook.orElseThrow().kind(),
                widths.own(from),
                features.orElseThrow(),
                columns.get(from))
        : device.norms().affine(a);
  }

  private Norms.Affine affine(Fusion.Fused f, Tensor x, Tensor y) {
    Snapshots.Folded own = parameters.folded(f.first(), y.shape().dim(1));
    return new Norms.Affine(
        forward.image(x),
        own.weights(),
        own.shift().orElseThrow(),
        f.residual().map(r -> forward.image(values.get(r))),
        f.activation(),
        forward.image(y));
  }

  private Kernel kernel(Node n, List<Tensor> x, Tensor y) {
    if (n.op() instanceof Op.Input) {
      InputScale s = parameters.inputScale();
      return shared
          .map(t -> t.into(device, s, y, arena))
          .orElseGet(
              () ->
                  device
                      .moves()
                      .imageInput(pixels(), Optional.empty(), 0, s.scale(), s.shift(), y));
    }
    return forward.of(widths.node(n), x, widths.reads(n), y);
  }

  private Kernel convolution(Fusion.Fused f, Op.Convolution c, Tensor x, Tensor y) {
    Snapshots.Folded own = parameters.folded(f.first().name(), c.bias(), f.norm());
    Optional<Tensor> residual = f.residual().map(values::get);
    ConvolutionSpec spec = ((Op.Convolution) widths.node(f.first()).op()).spec();
    return device
        .convolutions()
        .forward(
            spec, x, own.weights(), new Epilogue(own.shift(), residual, f.activation()), y, true);
  }
}
