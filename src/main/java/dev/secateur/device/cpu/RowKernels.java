package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Softmax and layer norm by oneDNN: the channels of each position are a row of a matrix. */
final class RowKernels {
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;
  private final Dnnl dnnl;

  RowKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel softmax(Tensor x, Tensor y) {
    Desc d = rows("softmax", x, y);
    return new Execution.Builder(softmax(d, dnnl_forward_inference))
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .build();
  }

  Kernel softmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    Desc d = rows("gradient of softmax", y, dy, dx);
    Primitive p =
        dnnl.primitive(
            List.of("softmax, backward", d),
            (pd, a) ->
                dnnl_softmax_backward_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    dnnl_softmax_accurate,
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(d),
                    1,
                    softmax(d, dnnl_forward_training).desc(),
                    a));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  private Primitive softmax(Desc d, int kind) {
    return dnnl.primitive(
        List.of("softmax", kind, d),
        (pd, a) ->
            dnnl_softmax_forward_primitive_desc_create(
                pd, Dnnl.engine(), kind, dnnl_softmax_accurate, dnnl.md(d), dnnl.md(d), 1, a));
  }

  Kernel layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    Desc d = rows("layer norm", x, y);
    return norm(layerNorm(d, dnnl_forward_inference, eps), d, x, gamma, beta, y).build();
  }

  TrainingKernels layerNormTraining(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      float eps,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    Desc d = rows("layer norm", x, y, dy, dx);
    Desc cd = Desc.vector(d.dims().dim(1));
    Desc sd = statistics(d);
    parameter("gradient of layer norm", d, dgamma);
    parameter("gradient of layer norm", d, dbeta);
    Tensor mean = arena.floats(sd.dims().dim(0));
    Tensor variance = arena.floats(sd.dims().dim(0));
    Primitive fp = layerNorm(d, dnnl_forward_training, eps);
    Primitive bp =
        dnnl.primitive(
            List.of("layer norm, backward", d, eps),
            (pd, a) ->
                dnnl_layer_normalization_backward_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    dnnl_backward,
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(sd),
                    eps,
                    AFFINE,
                    fp.desc(),
                    a));
    Kernel forward =
        norm(fp, d, x, gamma, beta, y)
            .arg(DNNL_ARG_MEAN, dnnl.memory(sd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(sd, variance))
            .build();
    Kernel backward =
        new Execution.Builder(bp)
            .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
            .arg(DNNL_ARG_MEAN, dnnl.memory(sd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(sd, variance))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
            .arg(DNNL_ARG_DIFF_SCALE, dnnl.memory(cd, dgamma))
            .arg(DNNL_ARG_DIFF_SHIFT, dnnl.memory(cd, dbeta))
            .build();
    return new TrainingKernels(forward, backward);
  }

  private Execution.Builder norm(
      Primitive p, Desc d, Tensor x, Tensor gamma, Tensor beta, Tensor y) {
    parameter("layer norm parameter", d, gamma);
    parameter("layer norm parameter", d, beta);
    Desc cd = Desc.vector(d.dims().dim(1));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
        .arg(DNNL_ARG_SHIFT, dnnl.memory(cd, beta))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y));
  }

  private Primitive layerNorm(Desc d, int kind, float eps) {
    return dnnl.primitive(
        List.of("layer norm", kind, d, eps),
        (pd, a) ->
            dnnl_layer_normalization_forward_primitive_desc_create(
                pd,
                Dnnl.engine(),
                kind,
                dnnl.md(d),
                dnnl.md(d),
                dnnl.md(statistics(d)),
                eps,
                AFFINE,
                a));
  }

  private static Desc statistics(Desc rows) {
    return Desc.vector(rows.dims().dim(0));
  }

  private static void parameter(String what, Desc rows, Tensor t) {
    Check.vector(what, t, rows.dims().dim(1));
  }

  /** Activations of one shape as matrices of positions and channels. */
  private static Desc rows(String what, Tensor... tensors) {
    for (Tensor t : tensors) {
      Check.channelsInnermost(what, t);
      Check.sameShape(what, tensors[0], t);
    }
    long c = tensors[0].shape().dim(1);
    return Desc.plain(Shape.of(tensors[0].elements() / c, c));
  }
}
