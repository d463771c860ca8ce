package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Transposed convolution, the gradient of a convolution by its input: {@code NAME.weight} (C,
 * K/groups, R, S) and, with bias, {@code NAME.bias} (K). Height: (H - 1) stride - padding above and
 * below + dilation (R - 1) + 1 + extra.
 *
 * @param extraH rows more at the bottom (output padding)
 * @param extraW columns more at the right
 */
public record TransposedConvolution(
    int outChannels,
    int kernelH,
    int kernelW,
    ConvolutionSpec spec,
    int extraH,
    int extraW,
    boolean bias)
    implements Op, FilterBank {
  static final OpType<TransposedConvolution> TYPE =
      new OpType<>(
          "TransposedConvolution",
          TransposedConvolution.class,
          (op, to) ->
              to.put("outChannels", op.outChannels)
                  .put("kernelH", op.kernelH)
                  .put("kernelW", op.kernelW)
                  .object("spec", s -> Filters.write(op.spec, s))
                  .put("extraH", op.extraH)
                  .put("extraW", op.extraW)
                  .put("bias", op.bias),
          a ->
              new TransposedConvolution(
                  a.whole("outChannels"),
                  a.whole("kernelH"),
                  a.whole("kernelW"),
                  a.object("spec", Filters::read),
                  a.whole("extraH"),
                  a.whole("extraW"),
                  a.flag("bias")));

  @Override
  public OpType<?> type() {
    return TYPE;
  }

  @Override
  public String label() {
    return "transposed conv " + window();
  }

  @Override
  public Shape output(List<Shape> in) {
    Shape x = in.get(0);
    Filters.check(spec, x, outChannels);
    long h = (x.dim(2) - 1) * spec.strideH() + spec.dilationH() * (kernelH - 1L) + 1 + extraH;
    long w = (x.dim(3) - 1) * spec.strideW() + spec.dilationW() * (kernelW - 1L) + 1 + extraW;
    return Shape.of(
        1,
        outChannels,
        Fit.positive(h - spec.padTop() - spec.padBottom()),
        Fit.positive(w - spec.padLeft() - spec.padRight()));
  }

  @Override
  public Map<String, Shape> parameters(long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    out.put("weight", Shape.of(in, outChannels / spec.groups(), kernelH, kernelW));
    if (bias) {
      out.put("bias", Shape.of(outChannels));
    }
    return out;
  }

  @Override
  public long macs(Shape in, Shape out) {
    return in.elements() * (outChannels / spec.groups()) * kernelH * kernelW;
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
  public TransposedConvolution resized(int before, int in, int out) {
    return new TransposedConvolution(
        out, kernelH, kernelW, spec.ofWidth(before, in), extraH, extraW, bias);
  }

  @Override
  public Map<String, ParameterCut> cuts(KeptChannels kept) {
    Optional<int[]> second =
        depthwise(kept.before(0))
            ? Optional.empty()
            : Optional.of(KeptChannels.ofOneGroup(kept.out(), outChannels, groups()));
    return Map.of(
        "weight", new ParameterCut(kept.in(0), second), "bias", ParameterCut.first(kept.out()));
  }

  @Override
  public OptionalLong padded(List<Shape> in, List<Long> wide, long out, long multiple) {
    return Filters.padded(spec.groups(), in, wide, out, multiple);
  }

  @Override
  public Kernel forward(Operands o) {
    Kernel spread = o.device().convolutions().backwardData(spec, o.first(), o.weight(), o.y());
    if (!bias) {
      return spread;
    }
    Tensor own = o.vector("bias", o.y().dtype());
    return Kernel.each(
        List.of(spread, o.device().pointwise().addBias(own, Activation.NONE, o.y())));
  }

  @Override
  public void trainWeights(TrainingOperands t) {
    Operands o = t.operands();
    t.backward(
        o.device().convolutions().backwardWeights(spec, t.dy(), o.first(), t.weightGradient()));
    t.biasBackward(bias);
  }

  @Override
  public Kernel backward(Operands o, int input, Tensor dy, Tensor dx) {
    return o.device().convolutions().forward(spec, dy, o.weight(), Epilogue.NONE, dx, false);
  }
}
