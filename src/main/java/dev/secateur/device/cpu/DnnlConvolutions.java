package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Contract;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** Convolutions: activations channels last, weights packed as oneDNN likes them. */
final class DnnlConvolutions implements Convolutions {
  private final Dnnl dnnl;

  DnnlConvolutions(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileForward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    boolean inPlace = epilogue.residual().filter(r -> sameMemory(r, y)).isPresent();
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc yd = DnnlDesc.of(y);
    Shape ws = weightShape(spec, w);
    boolean bias = epilogue.bias().isPresent();
    DnnlPostOps ops =
        new DnnlPostOps(
            inPlace, epilogue.residual().filter(r -> !inPlace).map(r -> yd), epilogue.activation());
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("convolution", spec, xd, ws, yd, bias),
            ops,
            (d, a) ->
                dnnl_convolution_forward_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_forward_inference,
                    dnnl_convolution_auto,
                    dnnl.md(xd),
                    dnnl.md(DnnlDesc.any(ws)),
                    bias ? dnnl.md(DnnlDesc.vector(w.shape().dim(0))) : null,
                    dnnl.md(yd),
                    strides(spec),
                    dilations(spec),
                    padBegin(spec),
                    padEnd(spec),
                    a));
    Packed packed = pack(p, ws, w);
    DnnlExecution.Builder e =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_WEIGHTS, packed.memory())
            .arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    epilogue
        .bias()
        .ifPresent(b -> e.arg(DNNL_ARG_BIAS, dnnl.memory(DnnlDesc.vector(b.elements()), b)));
    epilogue
        .residual()
        .filter(r -> !inPlace)
        .ifPresent(r -> e.arg(DnnlPostOps.ADDEND, dnnl.memory(yd, r)));
    return withPacking(packed, e.build(), frozen);
  }

  @Override
  public Kernel compileBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    DnnlDesc xd = DnnlDesc.of(dx);
    DnnlDesc yd = DnnlDesc.of(dy);
    Shape ws = weightShape(spec, w);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("convolution, backward data", spec, xd, ws, yd),
            (d, a) ->
                dnnl_convolution_backward_data_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_convolution_auto,
                    dnnl.md(xd),
                    dnnl.md(DnnlDesc.any(ws)),
                    dnnl.md(yd),
                    strides(spec),
                    dilations(spec),
                    padBegin(spec),
                    padEnd(spec),
                    hint(spec, xd, ws, yd).desc(),
                    a));
    Packed packed = pack(p, ws, w);
    Kernel run =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
            .arg(DNNL_ARG_WEIGHTS, packed.memory())
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx))
            .build();
    return withPacking(packed, run, false);
  }

  @Override
  public Kernel compileBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc yd = DnnlDesc.of(dy);
    Shape ws = weightShape(spec, dw);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("convolution, backward weights", spec, xd, ws, yd),
            (d, a) ->
                dnnl_convolution_backward_weights_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_convolution_auto,
                    dnnl.md(xd),
                    dnnl.md(DnnlDesc.any(ws)),
                    null,
                    dnnl.md(yd),
                    strides(spec),
                    dilations(spec),
                    padBegin(spec),
                    padEnd(spec),
                    hint(spec, xd, ws, yd).desc(),
                    a));
    DnnlDesc plain = DnnlDesc.plain(ws);
    DnnlMemory result = dnnl.memory(plain, dw);
    dnnl_memory_desc chosen = p.query(dnnl_query_diff_weights_md);
    boolean direct = dnnl_memory_desc_equal(chosen, dnnl.md(plain)) != 0;
    DnnlMemory packed = direct ? result : DnnlMemory.allocate(chosen);
    Kernel run =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
            .arg(DNNL_ARG_DIFF_WEIGHTS, packed)
            .build();
    if (direct) {
      return run;
    }
    Kernel unpack = dnnl.reorder(chosen, packed, dnnl.md(plain), result);
    return () -> {
      run.launch();
      unpack.launch();
    };
  }

  private DnnlPrimitive hint(ConvolutionSpec spec, DnnlDesc xd, Shape ws, DnnlDesc yd) {
    return dnnl.primitive(
        List.of("convolution, training", spec, xd, ws, yd),
        (d, a) ->
            dnnl_convolution_forward_primitive_desc_create(
                d,
                Dnnl.engine(),
                dnnl_forward_training,
                dnnl_convolution_auto,
                dnnl.md(xd),
                dnnl.md(DnnlDesc.any(ws)),
                null,
                dnnl.md(yd),
                strides(spec),
                dilations(spec),
                padBegin(spec),
                padEnd(spec),
                a));
  }

  /** Weights in the primitive's layout and, if that is not the plain one, how to get there. */
  private record Packed(DnnlMemory memory, Optional<Kernel> reorder) {}

  private Packed pack(DnnlPrimitive p, Shape ws, Tensor w) {
    DnnlDesc plain = DnnlDesc.plain(ws);
    DnnlMemory source = dnnl.memory(plain, w);
    dnnl_memory_desc chosen = p.query(dnnl_query_weights_md);
    if (dnnl_memory_desc_equal(chosen, dnnl.md(plain)) != 0) {
      return new Packed(source, Optional.empty());
    }
    DnnlMemory packed = DnnlMemory.allocate(chosen);
    return new Packed(packed, Optional.of(dnnl.reorder(dnnl.md(plain), source, chosen, packed)));
  }

  private static Kernel withPacking(Packed packed, Kernel run, boolean frozen) {
    if (packed.reorder().isEmpty()) {
      return run;
    }
    Kernel reorder = packed.reorder().get();
    if (frozen) {
      return new Frozen(reorder, run);
    }
    return () -> {
      reorder.launch();
      run.launch();
    };
  }

  /** Packs the weights at the first launch only. */
  private static final class Frozen implements Kernel {
    private final Kernel reorder;
    private final Kernel run;
    private boolean packed;

    Frozen(Kernel reorder, Kernel run) {
      this.reorder = reorder;
      this.run = run;
    }

    @Override
    public void launch() {
      if (!packed) {
        reorder.launch();
        packed = true;
      }
      run.launch();
    }
  }

  private static boolean sameMemory(Tensor a, Tensor b) {
    return a.buffer() == b.buffer() && a.byteOffset() == b.byteOffset();
  }

  private static Shape weightShape(ConvolutionSpec spec, Tensor w) {
    Shape s = w.shape();
    int g = spec.groups();
    return g == 1 ? s : Shape.of(g, s.dim(0) / g, s.dim(1), s.dim(2), s.dim(3));
  }

  private static long[] strides(ConvolutionSpec s) {
    return new long[] {s.strideH(), s.strideW()};
  }

  private static long[] dilations(ConvolutionSpec s) {
    return new long[] {s.dilationH() - 1, s.dilationW() - 1};
  }

  private static long[] padBegin(ConvolutionSpec s) {
    return new long[] {s.padTop(), s.padLeft()};
  }

  private static long[] padEnd(ConvolutionSpec s) {
    return new long[] {s.padBottom(), s.padRight()};
  }
}
