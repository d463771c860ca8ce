package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Pools;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Pooling. */
final class DnnlPools implements Pools {
  private final Dnnl dnnl;

  DnnlPools(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileForward(PoolSpec spec, Tensor x, Tensor y) {
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc yd = DnnlDesc.of(y);
    return new DnnlExecution.Builder(forward(dnnl_forward_inference, spec, xd, yd))
        .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
        .arg(DNNL_ARG_DST, dnnl.memory(yd, y))
        .build();
  }

  @Override
  public TrainingKernels compileTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc yd = DnnlDesc.of(y);
    DnnlPrimitive fp = forward(dnnl_forward_training, spec, xd, yd);
    DnnlPrimitive bp =
        dnnl.primitive(
            List.of("pooling, backward", spec, xd, yd),
            (d, a) ->
                dnnl_pooling_backward_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    algorithm(spec),
                    dnnl.md(xd),
                    dnnl.md(yd),
                    strides(spec),
                    kernel(spec),
                    dilation(spec),
                    padBegin(spec),
                    padEnd(spec),
                    fp.desc(),
                    a));
    Optional<DnnlMemory> workspace =
        spec.kind() == PoolSpec.Kind.MAX ? DnnlWorkspace.of(fp, arena) : Optional.empty();
    DnnlExecution.Builder forward =
        new DnnlExecution.Builder(fp)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    DnnlExecution.Builder backward =
        new DnnlExecution.Builder(bp)
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx));
    workspace.ifPresent(
        w -> {
          forward.arg(DNNL_ARG_WORKSPACE, w);
          backward.arg(DNNL_ARG_WORKSPACE, w);
        });
    return new TrainingKernels(forward.build(), backward.build());
  }

  private DnnlPrimitive forward(int kind, PoolSpec spec, DnnlDesc xd, DnnlDesc yd) {
    return dnnl.primitive(
        List.of("pooling", kind, spec, xd, yd),
        (d, a) ->
            dnnl_pooling_forward_primitive_desc_create(
                d,
                Dnnl.engine(),
                kind,
                algorithm(spec),
                dnnl.md(xd),
                dnnl.md(yd),
                strides(spec),
                kernel(spec),
                dilation(spec),
                padBegin(spec),
                padEnd(spec),
                a));
  }

  private static int algorithm(PoolSpec spec) {
    return switch (spec.kind()) {
      case MAX -> dnnl_pooling_max;
      case AVERAGE -> dnnl_pooling_avg_exclude_padding;
      case AVERAGE_INCLUDE_PADDING -> dnnl_pooling_avg_include_padding;
    };
  }

  private static long[] strides(PoolSpec s) {
    return new long[] {s.strideH(), s.strideW()};
  }

  private static long[] kernel(PoolSpec s) {
    return new long[] {s.kernelH(), s.kernelW()};
  }

  /** oneDNN counts what lies between. */
  private static long[] dilation(PoolSpec s) {
    return new long[] {s.dilationH() - 1, s.dilationW() - 1};
  }

  private static long[] padBegin(PoolSpec s) {
    return new long[] {s.padTop(), s.padLeft()};
  }

  private static long[] padEnd(PoolSpec s) {
    return new long[] {s.padBottom(), s.padRight()};
  }
}
