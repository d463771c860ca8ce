package dev.secateur.nn;

import dev.secateur.device.AdamSpec;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.MixedPrecision;
import dev.secateur.device.ParameterCopy;
import dev.secateur.device.SgdSpec;
import dev.secateur.nn.op.Gradients;
import dev.secateur.nn.op.Parameters;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A network's parameters and their gradients while it is trained: the network's own, or copies of
 * them where the device computes in another type or layout (see {@link MixedPrecision}).
 */
final class TrainingParameters implements Parameters, Gradients {
  /** The loss' scale at first, in half precision; PyTorch's GradScaler begins with it too. */
  private static final float FIRST_SCALE = 65536;

  private final Network net;
  private final Device device;
  private final Widths widths;
  private final Arena arena;
  private final Tensor gradients;
  private final Optional<Mixed> mixed;

  /** AdamW's count of steps. */
  private Optional<Tensor> steps = Optional.empty();

  /**
   * What is there twice.
   *
   * @param places of the parameters' copies, by name
   * @param weights copies of the parameters, the layers' type
   * @param gradients those of filters
   * @param state of the loss scale
   */
  private record Mixed(
      MixedPrecision kernels,
      Map<String, ParameterCopy> places,
      Tensor weights,
      Tensor gradients,
      Optional<Tensor> state) {

    List<ParameterCopy> copies() {
      return List.copyOf(places.values());
    }

    Tensor partOf(Tensor all, String parameter, Layout banks) {
      ParameterCopy c = places.get(parameter);
      Tensor t = all.view(c.at(), c.shape());
      return t.shape().rank() == 4
          ? new Tensor(t.buffer(), t.byteOffset(), t.shape(), t.dtype(), banks)
          : t;
    }
  }

  TrainingParameters(Network net, Widths widths, Arena arena) {
    this.net = net;
    this.device = net.device();
    this.widths = widths;
    this.arena = arena;
    this.gradients = arena.floats(net.flat().elements());
    this.mixed = device.mixedPrecision().map(this::copies);
  }

  private Mixed copies(MixedPrecision kernels) {
    Map<String, ParameterCopy> places = new LinkedHashMap<>();
    long end = 0;
    for (Map.Entry<String, Tensor> e : net.parameters().entrySet()) {
      if (ParameterShapes.trainable(e.getKey())) {
        Shape wide = widths.parameter(e.getKey());
        places.put(e.getKey(), new ParameterCopy(e.getValue(), end, wide));
        end += Network.padded(wide);
      }
    }
    Shape all = Shape.of(Math.max(1, end));
    DType type = device.activationType();
    Optional<Tensor> state = Optional.empty();
    if (kernels.scalesLoss()) {
      state = Optional.of(arena.floats(3));
      device.upload(new float[] {FIRST_SCALE, 0, 0}, state.get());
    }
    return new Mixed(
        kernels,
        places,
        arena.allocate(all, type, Layout.PLAIN),
        arena.allocate(all, type, Layout.PLAIN),
        state);
  }

  @Override
  public Tensor weights(String parameter) {
    return mixed
        .map(m -> m.partOf(m.weights(), parameter, device.weightLayout()))
        .orElseGet(() -> net.parameter(parameter));
  }

  @Override
  public Tensor vector(String parameter, DType type) {
    return type == DType.F32 ? wide(parameter) : weights(parameter);
  }

  /** A vector of the network's, or a running statistic, with the zeros that lie behind it. */
  Tensor wide(String parameter) {
    return net.wide(parameter, widths.parameter(parameter));
  }

  @Override
  public Tensor ofFilters(String parameter) {
    return mixed
        .map(m -> m.partOf(m.gradients(), parameter, device.weightLayout()))
        .orElseGet(() -> of(parameter));
  }

  @Override
  public Tensor ofVector(String parameter) {
    return net.partOf(gradients, parameter, widths.parameter(parameter));
  }

  @Override
  public Tensor of(String parameter) {
    return net.partOf(gradients, parameter);
  }

  /** Brings the copies up to date, where there are any: the first kernel of a step. */
  Optional<Kernel> pack() {
    return mixed.map(m -> m.kernels().pack(net.flat(), m.copies(), m.weights(), arena));
  }

  /** Gathers the gradients of copies, where there are any: behind the backward pass. */
  Optional<Kernel> unpack() {
    return mixed.map(
        m ->
            m.kernels().unpack(m.gradients(), net.flat(), m.copies(), gradients, m.state(), arena));
  }

  /** y = x, the gradient of the loss in F32, times the scale, in the layers' type. */
  Kernel scaleLoss(Tensor x, Tensor y) {
    Mixed m = mixed.orElseThrow();
    return m.kernels().scaleLoss(x, y, m.state());
  }

  /** Adds a penalty to the gradients, once they are gathered. */
  PenaltyStep step(Penalty penalty) {
    return new PenaltyStep(net, penalty, gradients, arena);
  }

  /** The optimiser's step, with what the network keeps for it. */
  Kernel update(Learning learning, Tensor learningRate) {
    long decayed = learning.decayNorms() ? net.flat().elements() : net.decayed();
    return learning.optimizer() instanceof Learning.Sgd s
        ? sgd(
            new SgdSpec(s.momentum(), s.nesterov(), learning.weightDecay(), decayed), learningRate)
        : adamW((Learning.AdamW) learning.optimizer(), learning, decayed, learningRate);
  }

  private Kernel sgd(SgdSpec spec, Tensor lr) {
    Tensor p = net.flat();
    Tensor velocity = net.moment(Network.MOMENTUM);
    return scale().isPresent()
        ? mixed.get().kernels().sgd(p, gradients, velocity, lr, spec, scale().get())
        : device.training().sgd(p, gradients, velocity, lr, spec);
  }

  private Kernel adamW(Learning.AdamW a, Learning learning, long decayed, Tensor lr) {
    AdamSpec spec = new AdamSpec(a.beta1(), a.beta2(), a.eps(), learning.weightDecay(), decayed);
    Tensor p = net.flat();
    Tensor mean = net.moment(Network.MOMENTUM);
    Tensor square = net.moment(Network.SQUARES);
    Tensor count = arena.floats(3);
    steps = Optional.of(count);
    return scale().isPresent()
        ? mixed.get().kernels().adamW(p, gradients, mean, square, lr, count, spec, scale().get())
        : device.training().adamW(p, gradients, mean, square, lr, count, spec);
  }

  /** Adds what is kept between steps beside the network's own; waits for the device. */
  void addState(Map<String, HostTensor> to) {
    kept().forEach((n, t) -> to.put(n, new HostTensor(t.shape(), device.downloadFloats(t))));
  }

  /** Puts back what {@link #addState} took. */
  void restore(Map<String, HostTensor> state) {
    kept()
        .forEach(
            (name, t) -> {
              if (!state.containsKey(name)) {
                throw new IllegalArgumentException(name + ": missing");
              }
              device.upload(state.get(name).data(), t);
            });
  }

  private Map<String, Tensor> kept() {
    Map<String, Tensor> out = new LinkedHashMap<>();
    scale().ifPresent(s -> out.put("loss-scale", s));
    steps.ifPresent(s -> out.put("adamw-steps", s));
    return out;
  }

  private Optional<Tensor> scale() {
    return mixed.flatMap(Mixed::state);
  }

  /** What the loss is multiplied with in the next step; waits for the device. */
  float lossScale() {
    return scale().map(s -> device.downloadFloats(s)[0]).orElse(1f);
  }
}
