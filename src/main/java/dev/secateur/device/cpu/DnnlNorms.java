package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Contract;
import dev.secateur.device.Folding;
import dev.secateur.device.Kernel;
import dev.secateur.device.LayerNormTraining;
import dev.secateur.device.Norms;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/**
 * Norms by oneDNN; the channels of each position are a row of a matrix where a norm is over them.
 */
final class DnnlNorms implements Norms {
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

  private final Dnnl dnnl;
  private final DnnlPointwise pointwise;
  private final CpuReductions reductions;

  DnnlNorms(Dnnl dnnl, DnnlPointwise pointwise, CpuReductions reductions) {
    this.dnnl = dnnl;
    this.pointwise = pointwise;
    this.reductions = reductions;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  /** Batch norm whose statistics are 0 and 1; oneDNN fuses ReLU to it, and nothing else. */
  @Override
  public Kernel compileAffine(Affine a) {
    DnnlDesc xd = DnnlDesc.of(a.x());
    DnnlDesc cd = DnnlDesc.vector(a.x().shape().dim(1));
    boolean relu = a.activation() == Activation.RELU && a.residual().isEmpty();
    int flags = AFFINE | dnnl_use_global_stats | (relu ? dnnl_fuse_norm_relu : 0);
    Kernel norm =
        new DnnlExecution.Builder(forward(dnnl_forward_inference, xd, 0, flags))
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, a.x()))
            .arg(DNNL_ARG_MEAN, DnnlMemory.filled(dnnl.md(cd), a.scale().elements(), 0))
            .arg(DNNL_ARG_VARIANCE, DnnlMemory.filled(dnnl.md(cd), a.scale().elements(), 1))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, a.scale()))
            .arg(DNNL_ARG_SHIFT, dnnl.memory(cd, a.shift()))
            .arg(DNNL_ARG_DST, dnnl.memory(xd, a.y()))
            .build();
    if (a.residual().isPresent()) {
      Tensor r = a.residual().get();
      return Kernel.each(List.of(norm, pointwise.compileAdd(a.y(), r, a.activation(), a.y())));
    }
    return relu || a.activation() == Activation.NONE
        ? norm
        : Kernel.each(List.of(norm, pointwise.compileActivation(a.activation(), a.y(), a.y())));
  }

  @Override
  public Kernel compileAffineWithFeatures(
      Affine a, PoolSpec.Kind kind, long channels, Tensor features, long column) {
    return Kernel.each(
        List.of(
            reductions.compilePoolFeatures(kind, a.x(), channels, features, column),
            compileAffine(a)));
  }

  @Override
  public Kernel compileFold(Folding f) {
    return new CpuFolding(f);
  }

  @Override
  public TrainingKernels compileBatchNormTraining(BatchNormTraining t, Arena arena) {
    return new DnnlBatchNorm(dnnl, t, arena).kernels();
  }

  private DnnlPrimitive forward(int kind, DnnlDesc xd, float eps, int flags) {
    return dnnl.primitive(
        List.of("batch norm", kind, xd, eps, flags),
        (d, a) ->
            dnnl_batch_normalization_forward_primitive_desc_create(
                d, Dnnl.engine(), kind, dnnl.md(xd), dnnl.md(xd), eps, flags, a));
  }

  @Override
  public Kernel compileSoftmax(Tensor x, Tensor y) {
    DnnlDesc d = rows(x);
    return new DnnlExecution.Builder(softmax(d, dnnl_forward_inference))
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .build();
  }

  @Override
  public Kernel compileSoftmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    DnnlDesc d = rows(y);
    DnnlPrimitive p =
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
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  private DnnlPrimitive softmax(DnnlDesc d, int kind) {
    return dnnl.primitive(
        List.of("softmax", kind, d),
        (pd, a) ->
            dnnl_softmax_forward_primitive_desc_create(
                pd, Dnnl.engine(), kind, dnnl_softmax_accurate, dnnl.md(d), dnnl.md(d), 1, a));
  }

  @Override
  public Kernel compileLayerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    DnnlDesc d = rows(x);
    return layerNorm(layerNorm(d, dnnl_forward_inference, eps), d, x, gamma, beta, y).build();
  }

  @Override
  public TrainingKernels compileLayerNormTraining(LayerNormTraining n, Arena arena) {
    DnnlDesc d = rows(n.x());
    float eps = n.eps();
    DnnlDesc cd = DnnlDesc.vector(d.dims().dim(1));
    DnnlDesc sd = statistics(d);
    Tensor mean = arena.floats(sd.dims().dim(0));
    Tensor variance = arena.floats(sd.dims().dim(0));
    DnnlPrimitive fp = layerNorm(d, dnnl_forward_training, eps);
    DnnlPrimitive bp =
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
        layerNorm(fp, d, n.x(), n.gamma(), n.beta(), n.y())
            .arg(DNNL_ARG_MEAN, dnnl.memory(sd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(sd, variance))
            .build();
    Kernel backward =
        new DnnlExecution.Builder(bp)
            .arg(DNNL_ARG_SRC, dnnl.memory(d, n.x()))
            .arg(DNNL_ARG_MEAN, dnnl.memory(sd, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(sd, variance))
            .arg(DNNL_ARG_SCALE, dnnl.memory(cd, n.gamma()))
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, n.dy()))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, n.dx()))
            .arg(DNNL_ARG_DIFF_SCALE, dnnl.memory(cd, n.dgamma()))
            .arg(DNNL_ARG_DIFF_SHIFT, dnnl.memory(cd, n.dbeta()))
            .build();
    return new TrainingKernels(forward, backward);
  }

  private DnnlExecution.Builder layerNorm(
      DnnlPrimitive p, DnnlDesc d, Tensor x, Tensor gamma, Tensor beta, Tensor y) {
    DnnlDesc cd = DnnlDesc.vector(d.dims().dim(1));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_SCALE, dnnl.memory(cd, gamma))
        .arg(DNNL_ARG_SHIFT, dnnl.memory(cd, beta))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y));
  }

  private DnnlPrimitive layerNorm(DnnlDesc d, int kind, float eps) {
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

  private static DnnlDesc statistics(DnnlDesc rows) {
    return DnnlDesc.vector(rows.dims().dim(0));
  }

  /** An activation as a matrix of positions and channels. */
  private static DnnlDesc rows(Tensor t) {
    long c = t.shape().dim(1);
    return DnnlDesc.plain(Shape.of(t.elements() / c, c));
  }
}
