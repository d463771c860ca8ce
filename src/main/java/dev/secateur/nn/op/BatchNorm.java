package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** {@code NAME.weight, .bias, .running_mean, .running_var}, each (C). */
public record BatchNorm(float eps, float momentum) implements Op {
  static final OpType<BatchNorm> TYPE =
      new OpType<>(
          "BatchNorm",
          BatchNorm.class,
          (op, to) -> to.put("eps", op.eps).put("momentum", op.momentum),
          a -> new BatchNorm(a.number("eps"), a.number("momentum")));

  private static final List<String> PARTS =
      List.of("weight", "bias", "running_mean", "running_var");

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "bn";
  }

  @Override
  public Shape output(List<Shape> in) {
    return in.get(0);
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    PARTS.forEach(p -> out.put(p, Shape.of(width)));
    return out;
  }

  @Override
  public boolean passesChannels() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.pass();
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    Map<String, ParameterCut> out = new LinkedHashMap<>();
    PARTS.forEach(p -> out.put(p, ParameterCut.first(kept.out())));
    return out;
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return Fit.withRoom(out, wide.get(0));
  }

  /** Inference programs fold it, alone or into what is before it. */
  @Override
  public Kernel forward(Operands o) {
    throw new IllegalStateException("programs fold batch norms themselves");
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    TrainingKernels k =
        o.device()
            .norms()
            .batchNormTraining(
                new BatchNormTraining(
                    o.image(o.first()),
                    t.wide("weight"),
                    t.wide("bias"),
                    t.wide("running_mean"),
                    t.wide("running_var"),
                    t.normMomentum().orElse(momentum),
                    eps,
                    t.fused() == Activation.RELU,
                    o.image(o.y()),
                    o.image(t.dy()),
                    o.image(t.gradient(0)),
                    t.gradients().ofVector(o.node() + ".weight"),
                    t.gradients().ofVector(o.node() + ".bias")),
                o.arena());
    t.forward(k.forward());
    t.backward(k.backward());
    t.contribute(0);
  }
}
