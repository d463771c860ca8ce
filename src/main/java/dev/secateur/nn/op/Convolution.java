package dev.secateur.nn.op;

import dev.secateur.device.ConvolutionKernels;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ConvolutionTraining;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** {@code NAME.weight} (K, C/groups, R, S) and, with bias, {@code NAME.bias} (K). */
public record Convolution(
    int outChannels, int kernelH, int kernelW, ConvolutionSpec spec, boolean bias)
    implements Op, FilterBank {
  static final OpType<Convolution> TYPE =
      new OpType<>(
          "Convolution",
          Convolution.class,
          (op, to) ->
              to.put("outChannels", op.outChannels)
                  .put("kernelH", op.kernelH)
                  .put("kernelW", op.kernelW)
                  .object("spec", s -> Filters.write(op.spec, s))
                  .put("bias", op.bias),
          a ->
              new Convolution(
                  a.whole("outChannels"),
                  a.whole("kernelH"),
                  a.whole("kernelW"),
                  a.object("spec", Filters::read),
                  a.flag("bias")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "conv " + window();
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    Filters.check(spec, x, outChannels);
    return Shape.of(
        1, outChannels, spec.outHeight(x.dim(2), kernelH), spec.outWidth(x.dim(3), kernelW));
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("weight", Shape.of(outChannels, in / spec.groups(), kernelH, kernelW));
    if (bias) {
      out.put("bias", Shape.of(outChannels));
    }
    return out;
  }

  @Override
  public long macs(Shape in, Shape out) {
    return out.elements() * (in.dim(1) / spec.groups()) * kernelH * kernelW;
  }

  @Override
  public boolean mixesChannels() {
    return true;
  }

  @Override
  public int groups() {
    return spec.groups();
  }

  @Override
  public void flow(ChannelFlow flow) {
    Filters.flow(spec.groups(), flow);
  }

  @Override
  public Convolution resized(int before, int in, int out) {
    return new Convolution(out, kernelH, kernelW, spec.ofWidth(before, in), bias);
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    Optional<int[]> second =
        depthwise(kept.before(0))
            ? Optional.empty()
            : Optional.of(KeptChannels.ofOneGroup(kept.in(0), kept.before(0), groups()));
    return Map.of(
        "weight", new ParameterCut(kept.out(), second), "bias", ParameterCut.first(kept.out()));
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return Filters.padded(spec.groups(), in, wide, out, multiple);
  }

  @Override
  public Kernel forward(Operands o) {
    return o.device()
        .convolutions()
        .forward(spec, o.first(), o.weight(), o.epilogue(bias), o.y(), false);
  }

  @Override
  public void train(TrainingOperands t) {
    Operands o = t.operands();
    Optional<Tensor> dx = t.learns(0) ? Optional.of(t.gradient(0)) : Optional.empty();
    ConvolutionKernels k =
        o.device()
            .convolutions()
            .training(
                new ConvolutionTraining(
                    spec,
                    o.first(),
                    o.weight(),
                    o.bias(bias),
                    o.y(),
                    t.dy(),
                    t.weightGradient(),
                    dx),
                o.arena());
    t.forward(k.forward());
    t.backward(k.weights());
    t.biasBackward(bias);
    k.data().ifPresent(t::backward);
    if (dx.isPresent()) {
      t.contribute(0);
    }
  }
}
