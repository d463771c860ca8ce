package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Activations and additions. */
final class PointwiseKernels {
  private static final float RELU6_TOP = 6f;
  private final Dnnl dnnl;

  PointwiseKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel activation(Activation activation, Tensor x, Tensor y) {
    Check.sameOrder("activation", x, y);
    Desc d = Desc.flat(x);
    NativeMemory src = dnnl.memory(d, x);
    NativeMemory dst = dnnl.memory(d, y);
    if (activation == Activation.NONE) {
      return sameMemory(x, y) ? () -> {} : dnnl.reorder(d, src, d, dst);
    }
    return new Execution.Builder(forward(activation, d))
        .arg(DNNL_ARG_SRC, src)
        .arg(DNNL_ARG_DST, dst)
        .build();
  }

  Kernel activationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    Check.sameOrder("gradient of an activation", y, dy);
    Check.sameOrder("gradient of an activation", y, dx);
    if (activation == Activation.NONE) {
      return activation(activation, dy, dx);
    }
    Desc d = Desc.flat(y);
    Primitive p =
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
    return new Execution.Builder(p)
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  Kernel add(Tensor a, Tensor b, Activation activation, Tensor y) {
    Check.sameOrder("addition", a, b);
    Check.sameOrder("addition", a, y);
    if (sameMemory(b, y)) {
      return add(b, a, activation, y, Desc.flat(y)); // oneDNN works in place of the first only
    }
    return add(a, b, activation, y, Desc.flat(y));
  }

  private Kernel add(Tensor a, Tensor b, Activation activation, Tensor y, Desc d) {
    Primitive p =
        dnnl.primitive(
            List.of("addition", d),
            PostOps.of(activation),
            (pd, attributes) ->
                dnnl_binary_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    dnnl_binary_add,
                    dnnl.md(d),
                    dnnl.md(d),
                    dnnl.md(d),
                    attributes));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_SRC_0, dnnl.memory(d, a))
        .arg(DNNL_ARG_SRC_1, dnnl.memory(d, b))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .build();
  }

  private Primitive forward(Activation activation, Desc d) {
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
}
