package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Contract;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.device.Pointwise;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Functions, sums and products by oneDNN, over all elements in a row where it can be. */
final class DnnlPointwise implements Pointwise {
  private static final float RELU6_TOP = 6f;
  private final Dnnl dnnl;

  DnnlPointwise(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileActivation(Activation activation, Tensor x, Tensor y) {
    DnnlDesc d = DnnlDesc.flat(x);
    DnnlMemory src = dnnl.memory(d, x);
    DnnlMemory dst = dnnl.memory(d, y);
    if (activation == Activation.NONE) {
      return sameMemory(x, y) ? () -> {} : dnnl.reorder(d, src, d, dst);
    }
    return new DnnlExecution.Builder(forward(activation, d))
        .arg(DNNL_ARG_SRC, src)
        .arg(DNNL_ARG_DST, dst)
        .build();
  }

  @Override
  public Kernel compileActivationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    if (activation == Activation.NONE) {
      return compileActivation(activation, dy, dx);
    }
    DnnlDesc d = DnnlDesc.flat(y);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("activation, backward", activation, d),
            (pd, a) ->
                dnnl_eltwise_backward_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    algorithm(activation),
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(d),
                    0f,
                    beta(activation),
                    forward(activation, d).desc(),
                    a));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  @Override
  public Kernel compileAdd(Tensor a, Tensor b, Activation activation, Tensor y) {
    DnnlDesc d = DnnlDesc.flat(y);
    boolean swap = sameMemory(b, y); // oneDNN works in place of the first only
    return binary(dnnl_binary_add, d, swap ? b : a, d, swap ? a : b, y, activation);
  }

  private DnnlPrimitive forward(Activation activation, DnnlDesc d) {
    return dnnl.primitive(
        List.of("activation", activation, d),
        (pd, a) ->
            dnnl_eltwise_forward_primitive_desc_create(
                pd,
                Dnnl.engine(),
                dnnl_forward_training,
                algorithm(activation),
                dnnl.md(d),
                dnnl.md(d),
                0f,
                beta(activation),
                a));
  }

  private static int algorithm(Activation activation) {
    return activation == Activation.RELU
        ? dnnl_eltwise_relu_use_dst_for_bwd
        : dnnl_eltwise_clip_v2_use_dst_for_bwd;
  }

  private static float beta(Activation activation) {
    return activation == Activation.RELU6 ? RELU6_TOP : 0f;
  }

  private static boolean sameMemory(Tensor a, Tensor b) {
    return a.buffer() == b.buffer() && a.byteOffset() == b.byteOffset();
  }

  @Override
  public Kernel compileElementwise(ElementwiseSpec spec, Tensor x, Tensor y) {
    DnnlDesc d = DnnlDesc.flat(x);
    return new DnnlExecution.Builder(primitive(DnnlFunction.of(spec), d))
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .build();
  }

  @Override
  public Kernel compileElementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    DnnlFunction f = DnnlFunction.of(spec);
    DnnlDesc d = DnnlDesc.flat(x);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("elementwise, backward", f, d),
            (pd, a) ->
                dnnl_eltwise_backward_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    f.algorithm(),
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(d),
                    f.alpha(),
                    f.beta(),
                    primitive(f, d).desc(),
                    a));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  private DnnlPrimitive primitive(DnnlFunction f, DnnlDesc d) {
    return dnnl.primitive(
        List.of("elementwise", f, d),
        (pd, a) ->
            dnnl_eltwise_forward_primitive_desc_create(
                pd,
                Dnnl.engine(),
                dnnl_forward_training,
                f.algorithm(),
                dnnl.md(d),
                dnnl.md(d),
                f.alpha(),
                f.beta(),
                a));
  }

  @Override
  public Kernel compileMultiply(Tensor a, Tensor b, Tensor y) {
    if (!a.shape().equals(b.shape())) {
      return new CpuChannelFactors(a, b, y);
    }
    DnnlDesc d = DnnlDesc.flat(a);
    return binary(dnnl_binary_mul, d, a, d, b, y, Activation.NONE);
  }

  @Override
  public Kernel compileAddBias(Tensor bias, Activation activation, Tensor y) {
    long c = y.shape().dim(1);
    DnnlDesc each = DnnlDesc.plain(Shape.of(1, c, 1, 1));
    return binary(dnnl_binary_add, DnnlDesc.of(y), y, each, bias, y, activation);
  }

  private Kernel binary(
      int algorithm,
      DnnlDesc ad,
      Tensor a,
      DnnlDesc bd,
      Tensor b,
      Tensor y,
      Activation activation) {
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("binary", algorithm, ad, bd),
            DnnlPostOps.of(activation),
            (pd, attributes) ->
                dnnl_binary_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    algorithm,
                    dnnl.md(ad),
                    dnnl.md(bd),
                    dnnl.md(ad),
                    attributes));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_SRC_0, dnnl.memory(ad, a))
        .arg(DNNL_ARG_SRC_1, dnnl.memory(bd, b))
        .arg(DNNL_ARG_DST, dnnl.memory(ad, y))
        .build();
  }
}
