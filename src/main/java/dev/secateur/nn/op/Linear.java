package dev.secateur.nn.op;

import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/** {@code NAME.weight} (K, C) and, with bias, {@code NAME.bias} (K). */
public record Linear(int outFeatures, boolean bias) implements Op {
  static final OpType<Linear> TYPE =
      new OpType<>(
          "Linear",
          Linear.class,
          (op, to) -> to.put("outFeatures", op.outFeatures).put("bias", op.bias),
          a -> new Linear(a.whole("outFeatures"), a.flag("bias")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "linear";
  }

  @Override
  public Shape output(List<Shape> in) {
    if (in.get(0).rank() != 2) {
      throw new IllegalArgumentException("a linear layer reads a flat input");
    }
    return Shape.of(1, outFeatures);
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("weight", Shape.of(outFeatures, in));
    if (bias) {
      out.put("bias", Shape.of(outFeatures));
    }
    return out;
  }

  @Override
  public long macs(Shape in, Shape out) {
    return out.elements() * in.elements();
  }

  @Override
  public boolean mixesChannels() {
    return true;
  }

  @Override
  public void flow(ChannelFlow flow) {
    // its outputs are new channels
  }

  @Override
  public Linear resized(int before, int in, int out) {
    return new Linear(out, bias);
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    return Map.of(
        "weight",
        new ParameterCut(kept.out(), Optional.of(kept.in(0))),
        "bias",
        ParameterCut.first(kept.out()));
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return OptionalLong.of(out);
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device().linear().forward(o.first(), o.weight(), o.epilogue(bias), o.y());
  }

  /** What belongs to additional features of x is left out. */
  @Override
  public void trainWeights(TrainingOperands t) {
    Operands o = t.operands();
    Device device = o.device();
    Tensor x = o.first();
    Tensor dw = t.gradients().of(o.node() + ".weight");
    long in = dw.shape().dim(1);
    if (x.shape().dim(1) == in) {
      t.backward(device.linear().backwardWeights(x, t.dy(), dw));
    } else {
      Tensor wide = o.arena().floats(dw.shape().dim(0), x.shape().dim(1));
      Tensor own = o.arena().allocate(Shape.of(in), DType.I32, Layout.PLAIN);
      device.upload(IntStream.range(0, (int) in).toArray(), own);
      t.backward(device.linear().backwardWeights(x, t.dy(), wide));
      t.backward(device.moves().gather(wide, 1, own, dw));
    }
    t.biasBackward(bias);
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().linear().backwardData(dy, o.weight(), dx);
  }
}
