package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.ConvolutionKernels;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.ConvolutionTraining;
import dev.secateur.device.Convolutions;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Convolutions: activations channels last, weights packed as oneDNN likes them. Where BF16 is
 * wanted both factors are copied to it and the result, which is summed up in F32, stays so.
 */
final class DnnlConvolutions implements Convolutions, AutoCloseable {
  private final Dnnl dnnl;
  private final boolean bfloat;
  private final CpuArena arena = new CpuArena(closed -> {});

  /** Where factors lie in BF16 from one launch to the next, by bytes. */
  private final Map<Long, Tensor> scratch = new HashMap<>();

  /**
   * @param bfloat factors are rounded to BF16
   */
  DnnlConvolutions(Dnnl dnnl, boolean bfloat) {
    this.dnnl = dnnl;
    this.bfloat = bfloat;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileForward(
      ConvolutionSpec spec, Tensor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    Factor factor = factor(x, narrow(spec), Optional.empty());
    return both(factor, forward(spec, factor, w, epilogue, y, frozen));
  }

  @Override
  public Kernel compileBackwardData(ConvolutionSpec spec, Tensor dy, Tensor w, Tensor dx) {
    Factor factor = factor(dy, narrow(spec), Optional.empty());
    return both(factor, backwardData(spec, factor, w, dx));
  }

  @Override
  public Kernel compileBackwardWeights(ConvolutionSpec spec, Tensor x, Tensor dy, Tensor dw) {
    return backwardWeights(
        spec, factor(x, false, Optional.empty()), factor(dy, false, Optional.empty()), dw);
  }

  @Override
  public ConvolutionKernels compileTraining(ConvolutionTraining t, Arena arena) {
    ConvolutionSpec spec = t.spec();
    if (!narrow(spec)) {
      return Convolutions.super.compileTraining(t, arena);
    }
    Epilogue bias = new Epilogue(t.bias(), Optional.empty(), Activation.NONE);
    Factor x = factor(t.x(), true, Optional.of(arena));
    Factor dy = factor(t.dy(), true, Optional.empty());
    Kernel forward = both(x, forward(spec, x, t.w(), bias, t.y(), false));
    Optional<Kernel> data = t.dx().map(dx -> backwardData(spec, dy, t.w(), dx));
    if (spec.strideH() > 1 || spec.strideW() > 1) {
      // oneDNN 3.13 is faster in F32 here
      Kernel weights = compileBackwardWeights(spec, t.x(), t.dy(), t.dw());
      return new ConvolutionKernels(forward, weights, data.map(k -> both(dy, k)));
    }
    Kernel weights = both(dy, backwardWeights(spec, x, dy, t.dw()));
    return new ConvolutionKernels(forward, weights, data);
  }

  /** Whether a convolution's factors are rounded: grouped ones gain nothing. */
  private boolean narrow(ConvolutionSpec spec) {
    return bfloat && spec.groups() == 1;
  }

  /** An activation as primitives read it and, if that is not where it lies, how to get there. */
  private record Factor(Tensor tensor, DnnlDesc desc, DnnlMemory memory, Optional<Kernel> copy) {}

  /**
   * @param arena where a copy lies that outlives the next kernel
   */
  private Factor factor(Tensor t, boolean narrow, Optional<Arena> arena) {
    DnnlDesc own = DnnlDesc.of(t);
    DnnlMemory source = dnnl.memory(own, t);
    if (!narrow) {
      return new Factor(t, own, source, Optional.empty());
    }
    DnnlDesc desc = own.narrow(true);
    long bytes = t.elements() * DType.BF16.bytes();
    Tensor place =
        arena.map(a -> raw(a, bytes)).orElseGet(() -> scratch(Long.highestOneBit(bytes) * 2));
    DnnlMemory memory = dnnl.memory(desc, place);
    return new Factor(t, desc, memory, Optional.of(dnnl.reorder(own, source, desc, memory)));
  }

  private Tensor scratch(long bytes) {
    return scratch.computeIfAbsent(bytes, b -> raw(arena, b));
  }

  private static Tensor raw(Arena arena, long bytes) {
    return arena.allocate(Shape.of(bytes), DType.U8, Layout.PLAIN);
  }

  private static Kernel both(Factor factor, Kernel run) {
    return factor.copy().map(copy -> then(copy, run)).orElse(run);
  }

  private static Kernel then(Kernel first, Kernel second) {
    return () -> {
      first.launch();
      second.launch();
    };
  }

  private Kernel forward(
      ConvolutionSpec spec, Factor x, Tensor w, Epilogue epilogue, Tensor y, boolean frozen) {
    boolean inPlace = epilogue.residual().filter(r -> sameMemory(r, y)).isPresent();
    DnnlDesc xd = x.desc();
    DnnlDesc yd = DnnlDesc.of(y);
    Shape ws = weightShape(spec, w);
    boolean bias = epilogue.bias().isPresent();
    DnnlPostOps ops =
        new DnnlPostOps(
            inPlace,
            epilogue.residual().filter(r -> !inPlace).map(r -> yd),
            epilogue.activation(),
            epilogue.function().map(DnnlFunction::of));
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
                    dnnl.md(DnnlDesc.any(ws, narrow(spec))),
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
            .arg(DNNL_ARG_SRC, x.memory())
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

  private Kernel backwardData(ConvolutionSpec spec, Factor dy, Tensor w, Tensor dx) {
    DnnlDesc xd = DnnlDesc.of(dx);
    DnnlDesc yd = dy.desc();
    Shape ws = weightShape(spec, w);
    boolean narrow = narrow(spec);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("convolution, backward data", spec, xd, ws, yd),
            (d, a) ->
                dnnl_convolution_backward_data_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_convolution_auto,
                    dnnl.md(xd),
                    dnnl.md(DnnlDesc.any(ws, narrow)),
                    dnnl.md(yd),
                    strides(spec),
                    dilations(spec),
                    padBegin(spec),
                    padEnd(spec),
                    hint(spec, xd.narrow(narrow), ws, yd).desc(),
                    a));
    Packed packed = pack(p, ws, w);
    Kernel run =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_DIFF_DST, dy.memory())
            .arg(DNNL_ARG_WEIGHTS, packed.memory())
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx))
            .build();
    return withPacking(packed, run, false);
  }

  private Kernel backwardWeights(ConvolutionSpec spec, Factor x, Factor dy, Tensor dw) {
    DnnlDesc xd = x.desc();
    DnnlDesc yd = dy.desc();
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
                    dnnl.md(DnnlDesc.any(ws, false)),
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
            .arg(DNNL_ARG_SRC, x.memory())
            .arg(DNNL_ARG_DIFF_DST, dy.memory())
            .arg(DNNL_ARG_DIFF_WEIGHTS, packed)
            .build();
    return direct ? run : then(run, dnnl.reorder(chosen, packed, dnnl.md(plain), result));
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
                dnnl.md(DnnlDesc.any(ws, xd.isNarrow())),
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
    return then(reorder, run);
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

  @Override
  public void close() {
    arena.close();
  }
}
