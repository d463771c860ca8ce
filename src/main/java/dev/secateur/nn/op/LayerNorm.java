package dev.secateur.nn.op;

import dev.secateur.device.Kernel;
import dev.secateur.device.LayerNormTraining;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Layer norm over the channels of each position: {@code NAME.weight, .bias}, each (C). Its channels
 * stay, since a zero channel counts in its sums.
 */
public record LayerNorm(float eps) implements Op {
  static final OpType<LayerNorm> TYPE =
      new OpType<>(
          "LayerNorm",
          LayerNorm.class,
          (op, to) -> to.put("eps", op.eps),
          a -> new LayerNorm(a.number("eps")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "layernorm";
  }

  @Override
  public Shape output(List<Shape> in) {
    return in.get(0);
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("weight", Shape.of(width));
    out.put("bias", Shape.of(width));
    return out;
  }

  @Override
  public void flow(ChannelFlow flow) {
    flow.fix();
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return in.get(0).dim(1) == wide.get(0) ? OptionalLong.of(out) : OptionalLong.empty();
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device()
        .norms()
        .layerNorm(
            o.first(), o.vector("weight", DType.F32), o.vector("bias", DType.F32), eps, o.y());
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    TrainingKernels k =
        o.device()
            .norms()
            .layerNormTraining(
                new LayerNormTraining(
                    o.first(),
                    t.own("weight"),
                    t.own("bias"),
                    eps,
                    o.y(),
                    t.dy(),
                    t.gradient(0),
                    t.gradients().of(o.node() + ".weight"),
                    t.gradients().of(o.node() + ".bias")),
                o.arena());
    t.forward(k.forward());
    t.backward(k.backward());
    t.contribute(0);
  }
}
