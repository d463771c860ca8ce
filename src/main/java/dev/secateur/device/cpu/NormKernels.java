package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Optional;

/** Batch normalisation. */
final class NormKernels {
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

  /** oneDNN's vector code wants whole blocks of channels. */
  private static final int ONEDNN_BLOCK = 16;

  private final Dnnl dnnl;
  private final PointwiseKernels pointwise;

  NormKernels(Dnnl dnnl, PointwiseKernels pointwise) {
    this.dnnl = dnnl;
    this.pointwise = pointwise;
  }

  Kernel inference(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor mean,
      Tensor variance,
      float eps,
      Activation activation,
      Tensor y) {
    long c = check(x, y, gamma, beta, mean, variance);
    Desc xd = Desc.of(x);
    Desc cd = Desc.vector(c);
    int flags =
        AFFINE | dnnl_use_global_stats | (activation == Activation.RELU ? dnnl_fuse_norm_relu : 0);
    Kernel norm =
        new Execution.Builder(forward(dnnl_forward_inference, xd, eps, flags))
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_MEAN, dnnl.memory(cd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(cd, variance))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
            .arg(DNNL_ARG_SHIFT, dnnl.memory(cd, beta))
            .arg(DNNL_ARG_DST, dnnl.memory(xd, y))
            .build();
    if (activation != Activation.RELU6) {
      return norm;
    }
    Kernel clip = pointwise.activation(activation, y, y); // oneDNN fuses only ReLU here
    return () -> {
      norm.launch();
      clip.launch();
    };
  }

  TrainingKernels training(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVariance,
      float momentum,
      float eps,
      boolean relu,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    long c = check(x, y, gamma, beta, runningMean, runningVariance, dgamma, dbeta);
    check(x, dy);
    check(x, dx);
    long n = x.elements() / c;
    Check.that(n > 1, "batch norm needs more than one value per channel, got " + x.shape());
    if (c % ONEDNN_BLOCK != 0) {
      return new CpuBatchNorm(
              x,
              gamma,
              beta,
              runningMean,
              runningVariance,
              momentum,
              eps,
              relu,
              y,
              dy,
              dx,
              dgamma,
              dbeta,
              arena)
          .kernels();
    }
    Desc xd = Desc.of(x);
    Desc cd = Desc.vector(c);
    int flags = AFFINE | (relu ? dnnl_fuse_norm_relu : 0);
    Tensor mean = arena.floats(c);
    Tensor variance = arena.floats(c);
    Primitive fp = forward(dnnl_forward_training, xd, eps, flags);
    Primitive bp =
        dnnl.primitive(
            List.of("batch norm, backward", xd, eps, flags),
            (d, a) ->
                dnnl_batch_normalization_backward_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_backward,
                    dnnl.md(xd),
                    dnnl.md(xd),
                    dnnl.md(xd),
                    eps,
                    flags,
                    fp.desc(),
                    a));
    Optional<NativeMemory> workspace = relu ? Workspace.of(fp, arena) : Optional.empty();
    Execution.Builder forward =
        new Execution.Builder(fp)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
            .arg(DNNL_ARG_SHIFT, dnnl.memory(cd, beta))
            .arg(DNNL_ARG_MEAN, dnnl.memory(cd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(cd, variance))
            .arg(DNNL_ARG_DST, dnnl.memory(xd, y));
    Execution.Builder backward =
        new Execution.Builder(bp)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_MEAN, dnnl.memory(cd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(cd, variance))
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(xd, dy))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx))
            .arg(DNNL_ARG_DIFF_SCALE, dnnl.memory(cd, dgamma))
            .arg(DNNL_ARG_DIFF_SHIFT, dnnl.memory(cd, dbeta));
    workspace.ifPresent(
        w -> {
          forward.arg(DNNL_ARG_WORKSPACE, w);
          backward.arg(DNNL_ARG_WORKSPACE, w);
        });
    Kernel normalise = forward.build();
    FloatBuffer batchMean = CpuBuffer.floatView(mean);
    FloatBuffer batchVariance = CpuBuffer.floatView(variance);
    FloatBuffer meanOut = CpuBuffer.floatView(runningMean);
    FloatBuffer varianceOut = CpuBuffer.floatView(runningVariance);
    float unbiased = (float) ((double) n / (n - 1));
    int channels = Math.toIntExact(c);
    Kernel both =
        () -> {
          normalise.launch();
          ((CpuBuffer) runningMean.buffer()).requireOpen();
          ((CpuBuffer) runningVariance.buffer()).requireOpen();
          for (int i = 0; i < channels; i++) {
            float m = meanOut.get(i);
            meanOut.put(i, m + momentum * (batchMean.get(i) - m));
            float v = varianceOut.get(i);
            varianceOut.put(i, v + momentum * (unbiased * batchVariance.get(i) - v));
          }
        };
    return new TrainingKernels(both, backward.build());
  }

  private Primitive forward(int kind, Desc xd, float eps, int flags) {
    return dnnl.primitive(
        List.of("batch norm", kind, xd, eps, flags),
        (d, a) ->
            dnnl_batch_normalization_forward_primitive_desc_create(
                d, Dnnl.engine(), kind, dnnl.md(xd), dnnl.md(xd), eps, flags, a));
  }

  private static long check(Tensor x, Tensor y, Tensor... vectors) {
    Check.activation("batch norm input", x);
    Check.activation("batch norm output", y);
    Check.sameShape("batch norm", x, y);
    long c = x.shape().dim(1);
    for (Tensor v : vectors) {
      Check.floats("batch norm parameter", v);
      Check.that(
          v.shape().equals(Shape.of(c)),
          "batch norm parameter " + v.shape() + " does not fit input " + x.shape());
    }
    return c;
  }
}
