package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Pooling. */
final class PoolKernels {
  private final Dnnl dnnl;

  PoolKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel inference(PoolSpec spec, Tensor x, Tensor y) {
    check(spec, x, y);
    Desc xd = Desc.of(x);
    Desc yd = Desc.of(y);
    return new Execution.Builder(forward(dnnl_forward_inference, spec, xd, yd))
        .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
        .arg(DNNL_ARG_DST, dnnl.memory(yd, y))
        .build();
  }

  TrainingKernels training(PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    check(spec, x, y);
    check(spec, dx, dy);
    Check.sameShape("pooling", x, dx);
    Desc xd = Desc.of(x);
    Desc yd = Desc.of(y);
    Primitive fp = forward(dnnl_forward_training, spec, xd, yd);
    Primitive bp =
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
                    new long[2],
                    padBegin(spec),
                    padEnd(spec),
                    fp.desc(),
                    a));
    Optional<NativeMemory> workspace =
        spec.kind() == PoolSpec.Kind.MAX ? Workspace.of(fp, arena) : Optional.empty();
    Execution.Builder forward =
        new Execution.Builder(fp)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    Execution.Builder backward =
        new Execution.Builder(bp)
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx));
    workspace.ifPresent(
        w -> {
          forward.arg(DNNL_ARG_WORKSPACE, w);
          backward.arg(DNNL_ARG_WORKSPACE, w);
        });
    return new TrainingKernels(forward.build(), backward.build());
  }

  private Primitive forward(int kind, PoolSpec spec, Desc xd, Desc yd) {
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
                new long[2],
                padBegin(spec),
                padEnd(spec),
                a));
  }

  private static void check(PoolSpec spec, Tensor x, Tensor y) {
    Check.activation("pooling input", x);
    Check.activation("pooling output", y);
    Shape xs = x.shape();
    long p = spec.outHeight(xs.dim(2));
    long q = spec.outWidth(xs.dim(3));
    Check.that(
        p > 0 && q > 0 && y.shape().equals(Shape.of(xs.dim(0), xs.dim(1), p, q)),
        String.format(
            "pooling of %s by %dx%d gives %dx%dx%dx%d, not %s",
            xs, spec.kernelH(), spec.kernelW(), xs.dim(0), xs.dim(1), p, q, y.shape()));
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

  private static long[] padBegin(PoolSpec s) {
    return new long[] {s.padTop(), s.padLeft()};
  }

  private static long[] padEnd(PoolSpec s) {
    return new long[] {s.padBottom(), s.padRight()};
  }
}
