package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Functions of one number by oneDNN, over all elements in a row. */
final class ElementwiseKernels {
  private final Dnnl dnnl;

  ElementwiseKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  /** A function in oneDNN's terms. */
  private record Function(int algorithm, float alpha, float beta) {
    static Function of(ElementwiseSpec s) {
      return switch (s.kind()) {
        case LEAKY_RELU -> new Function(dnnl_eltwise_relu, s.alpha(), 0);
        case ELU -> new Function(dnnl_eltwise_elu, s.alpha(), 0);
        case CLIP -> new Function(dnnl_eltwise_clip_v2, s.alpha(), s.beta());
        case SIGMOID -> new Function(dnnl_eltwise_logistic, 0, 0);
        case HARD_SIGMOID -> new Function(dnnl_eltwise_hardsigmoid, s.alpha(), s.beta());
        case HARD_SWISH -> new Function(dnnl_eltwise_hardswish, 1f / 6, 0.5f);
        case SILU -> new Function(dnnl_eltwise_swish, 1, 0);
        case GELU -> new Function(dnnl_eltwise_gelu_erf, 0, 0);
        case TANH -> new Function(dnnl_eltwise_tanh, 0, 0);
      };
    }
  }

  Kernel forward(ElementwiseSpec spec, Tensor x, Tensor y) {
    Check.sameOrder("elementwise function", x, y);
    Desc d = Desc.flat(x);
    return new Execution.Builder(primitive(Function.of(spec), d))
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DST, dnnl.memory(d, y))
        .build();
  }

  Kernel backward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    Check.sameOrder("gradient of an elementwise function", x, dy);
    Check.sameOrder("gradient of an elementwise function", x, dx);
    Function f = Function.of(spec);
    Desc d = Desc.flat(x);
    Primitive p =
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
    return new Execution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(d, x))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(d, dy))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(d, dx))
        .build();
  }

  private Primitive primitive(Function f, Desc d) {
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
}
