package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Batch norm with batch statistics. oneDNN has fast code for multiples of 16 channels only, which
 * pruned networks rarely have. As channels are innermost, {@code group} pixels in a row of C
 * channels are one pixel of group x C: of a width that is a multiple of 16. oneDNN takes the sums
 * of these wide channels, which are added up here to those of the C; what depends on them is then
 * computed from vectors that repeat the C.
 */
final class DnnlBatchNorm {
  private static final int BLOCK = 16;
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

  private final Dnnl dnnl;
  private final BatchNormTraining t;
  private final Arena arena;
  private final int channels;

  /** Pixels that are taken for one. */
  private final int group;

  private final int wide;
  private final double pixels;
  private final DnnlDesc image;
  private final DnnlDesc vector;
  private final CpuBuffer[] parameters;

  /** Of each wide channel; gamma and beta repeated. */
  private final Tensor mean;

  private final Tensor variance;
  private final float[] first;
  private final float[] second;
  private final double[] a;
  private final double[] b;

  DnnlBatchNorm(Dnnl dnnl, BatchNormTraining t, Arena arena) {
    this.dnnl = dnnl;
    this.t = t;
    this.arena = arena;
    channels = Math.toIntExact(t.channels());
    int wanted = BLOCK / Math.min(BLOCK, Integer.lowestOneBit(channels));
    group = t.rows() % wanted == 0 ? wanted : 1; // rarely 1: then oneDNN's plain code
    wide = channels * group;
    pixels = t.rows();
    image = DnnlDesc.channelsLast(Shape.of(t.rows() / group, wide, 1, 1));
    vector = DnnlDesc.vector(wide);
    parameters =
        CpuBuffer.distinct(
            t.gamma(), t.beta(), t.runningMean(), t.runningVariance(), t.dgamma(), t.dbeta());
    mean = arena.floats(wide);
    variance = arena.floats(wide);
    first = new float[wide];
    second = new float[wide];
    a = new double[channels];
    b = new double[channels];
  }

  TrainingKernels kernels() {
    int relu = t.relu() ? dnnl_fuse_norm_relu : 0;
    return group == 1 ? narrow(AFFINE | relu) : wide(AFFINE | relu | dnnl_use_global_stats);
  }

  private TrainingKernels narrow(int flags) {
    DnnlPrimitive fp = forward(flags);
    Optional<DnnlMemory> workspace = workspace(fp);
    Kernel normalise = forward(fp, t.gamma(), t.beta(), workspace);
    Kernel backward = backward(fp, flags, t.gamma(), t.dgamma(), t.dbeta(), workspace);
    FloatBuffer means = CpuViews.floats(mean);
    FloatBuffer variances = CpuViews.floats(variance);
    Running running = new Running();
    Kernel forward =
        () -> {
          normalise.launch();
          CpuBuffer.requireOpen(parameters);
          for (int k = 0; k < channels; k++) {
            running.add(k, means.get(k), variances.get(k));
          }
        };
    return new TrainingKernels(forward, backward);
  }

  private TrainingKernels wide(int flags) {
    Kernel statistics =
        new DnnlExecution.Builder(forward(0))
            .arg(DNNL_ARG_SRC, dnnl.memory(image, t.x()))
            .arg(DNNL_ARG_MEAN, dnnl.memory(vector, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(vector, variance))
            .arg(DNNL_ARG_DST, dnnl.memory(image, t.y())) // overwritten by the next
            .build();
    Tensor gamma = arena.floats(wide);
    Tensor beta = arena.floats(wide);
    DnnlPrimitive fp = forward(flags);
    Optional<DnnlMemory> workspace = workspace(fp);
    Kernel normalise = forward(fp, gamma, beta, workspace);
    Statistics batch = new Statistics(gamma, beta);
    Kernel forward =
        () -> {
          statistics.launch();
          CpuBuffer.requireOpen(parameters);
          batch.gather();
          normalise.launch();
        };
    // with statistics taken as given: dx = gamma / sd dy, without what flows through them
    Tensor dgamma = arena.floats(wide);
    Tensor dbeta = arena.floats(wide);
    Kernel direct = backward(fp, flags, gamma, dgamma, dbeta, workspace);
    Tensor slope = arena.floats(wide);
    Tensor shift = arena.floats(wide);
    Kernel rest = addAffine(slope, shift);
    Sums sums = new Sums(dgamma, dbeta, slope, shift);
    Kernel backward =
        () -> {
          direct.launch();
          CpuBuffer.requireOpen(parameters);
          sums.gather();
          rest.launch();
        };
    return new TrainingKernels(forward, backward);
  }

  /** The running statistics. */
  private final class Running {
    private final FloatBuffer means = CpuViews.floats(t.runningMean());
    private final FloatBuffer variances = CpuViews.floats(t.runningVariance());
    private final float unbiased = (float) (pixels / (pixels - 1));

    void add(int k, float mean, float variance) {
      float m = means.get(k);
      means.put(k, m + t.momentum() * (mean - m));
      float v = variances.get(k);
      variances.put(k, v + t.momentum() * (unbiased * variance - v));
    }
  }

  /** From the statistics of wide channels to those of channels, repeated. */
  private final class Statistics {
    private final FloatBuffer means = CpuViews.floats(mean);
    private final FloatBuffer variances = CpuViews.floats(variance);
    private final FloatBuffer gamma = CpuViews.floats(t.gamma());
    private final FloatBuffer beta = CpuViews.floats(t.beta());
    private final FloatBuffer gammas;
    private final FloatBuffer betas;
    private final Running running = new Running();

    Statistics(Tensor gamma, Tensor beta) {
      gammas = CpuViews.floats(gamma);
      betas = CpuViews.floats(beta);
    }

    void gather() {
      means.get(0, first);
      variances.get(0, second);
      for (int k = 0; k < channels; k++) {
        double m = 0;
        for (int i = k; i < wide; i += channels) {
          m += first[i];
        }
        m /= group;
        double v = 0;
        for (int i = k; i < wide; i += channels) {
          v += second[i] + (first[i] - m) * (first[i] - m);
        }
        v /= group;
        a[k] = m;
        b[k] = v;
        running.add(k, (float) m, (float) v);
      }
      repeat(a, means);
      repeat(b, variances);
      repeat(gamma, gammas);
      repeat(beta, betas);
    }
  }

  /**
   * From the sums of wide channels to the gradients of gamma and beta, and to what dx lacks: dx =
   * gamma / sd (dy - mean(dy) - xhat mean(dy xhat)).
   */
  private final class Sums {
    private final FloatBuffer means = CpuViews.floats(mean);
    private final FloatBuffer variances = CpuViews.floats(variance);
    private final FloatBuffer gamma = CpuViews.floats(t.gamma());
    private final FloatBuffer dgamma = CpuViews.floats(t.dgamma());
    private final FloatBuffer dbeta = CpuViews.floats(t.dbeta());
    private final FloatBuffer dgammas;
    private final FloatBuffer dbetas;
    private final FloatBuffer slopes;
    private final FloatBuffer shifts;

    Sums(Tensor dgamma, Tensor dbeta, Tensor slope, Tensor shift) {
      dgammas = CpuViews.floats(dgamma);
      dbetas = CpuViews.floats(dbeta);
      slopes = CpuViews.floats(slope);
      shifts = CpuViews.floats(shift);
    }

    void gather() {
      dgammas.get(0, first);
      dbetas.get(0, second);
      for (int k = 0; k < channels; k++) {
        double g = 0;
        double s = 0;
        for (int i = k; i < wide; i += channels) {
          g += first[i];
          s += second[i];
        }
        dgamma.put(k, (float) g);
        dbeta.put(k, (float) s);
        double inverse = 1 / Math.sqrt(variances.get(k) + t.eps());
        double scale = gamma.get(k) * inverse;
        a[k] = -scale * g / pixels * inverse;
        b[k] = -scale * s / pixels - a[k] * means.get(k);
      }
      repeat(a, slopes);
      repeat(b, shifts);
    }
  }

  private void repeat(double[] values, FloatBuffer to) {
    for (int k = 0; k < channels; k++) {
      first[k] = (float) values[k];
    }
    repeat(to);
  }

  private void repeat(FloatBuffer values, FloatBuffer to) {
    values.get(0, first, 0, channels);
    repeat(to);
  }

  private void repeat(FloatBuffer to) {
    for (int i = 0; i < group; i++) {
      to.put(i * channels, first, 0, channels);
    }
  }

  /** dx += slope x + shift. */
  private Kernel addAffine(Tensor slope, Tensor shift) {
    DnnlDesc rows = DnnlDesc.plain(Shape.of(t.rows() / group, wide));
    DnnlDesc each = DnnlDesc.plain(Shape.of(1, wide));
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("batch norm, slope", rows, each),
            new DnnlPostOps(true, Optional.of(each), Activation.NONE, Optional.empty()),
            (d, attributes) ->
                dnnl_binary_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_binary_mul,
                    dnnl.md(rows),
                    dnnl.md(each),
                    dnnl.md(rows),
                    attributes));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_SRC_0, dnnl.memory(rows, t.x()))
        .arg(DNNL_ARG_SRC_1, dnnl.memory(each, slope))
        .arg(DNNL_ARG_DST, dnnl.memory(rows, t.dx()))
        .arg(DnnlPostOps.secondAddend(), dnnl.memory(each, shift))
        .build();
  }

  private DnnlPrimitive forward(int flags) {
    return dnnl.primitive(
        List.of("batch norm", dnnl_forward_training, image, t.eps(), flags),
        (d, a) ->
            dnnl_batch_normalization_forward_primitive_desc_create(
                d,
                Dnnl.engine(),
                dnnl_forward_training,
                dnnl.md(image),
                dnnl.md(image),
                t.eps(),
                flags,
                a));
  }

  private Optional<DnnlMemory> workspace(DnnlPrimitive forward) {
    return t.relu() ? DnnlWorkspace.of(forward, arena) : Optional.empty();
  }

  private Kernel forward(
      DnnlPrimitive p, Tensor gamma, Tensor beta, Optional<DnnlMemory> workspace) {
    DnnlExecution.Builder forward =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(image, t.x()))
            .arg(DNNL_ARG_SCALE, dnnl.memory(vector, gamma))
            .arg(DNNL_ARG_SHIFT, dnnl.memory(vector, beta))
            .arg(DNNL_ARG_MEAN, dnnl.memory(vector, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(vector, variance))
            .arg(DNNL_ARG_DST, dnnl.memory(image, t.y()));
    workspace.ifPresent(w -> forward.arg(DNNL_ARG_WORKSPACE, w));
    return forward.build();
  }

  private Kernel backward(
      DnnlPrimitive forward,
      int flags,
      Tensor gamma,
      Tensor dgamma,
      Tensor dbeta,
      Optional<DnnlMemory> workspace) {
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("batch norm, backward", image, t.eps(), flags),
            (d, a) ->
                dnnl_batch_normalization_backward_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl_backward,
                    dnnl.md(image),
                    dnnl.md(image),
                    dnnl.md(image),
                    t.eps(),
                    flags,
                    forward.desc(),
                    a));
    DnnlExecution.Builder backward =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(image, t.x()))
            .arg(DNNL_ARG_MEAN, dnnl.memory(vector, mean))
            .arg(DNNL_ARG_VARIANCE, dnnl.memory(vector, variance))
            .arg(DNNL_ARG_DIFF_DST, dnnl.memory(image, t.dy()))
            .arg(DNNL_ARG_SCALE, dnnl.memory(vector, gamma))
            .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(image, t.dx()))
            .arg(DNNL_ARG_DIFF_SCALE, dnnl.memory(vector, dgamma))
            .arg(DNNL_ARG_DIFF_SHIFT, dnnl.memory(vector, dbeta));
    workspace.ifPresent(w -> backward.arg(DNNL_ARG_WORKSPACE, w));
    return backward.build();
  }
}
