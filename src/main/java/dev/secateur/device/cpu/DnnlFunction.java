package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.ElementwiseSpec;

/** A function of one number in oneDNN's terms. */
record DnnlFunction(int algorithm, float alpha, float beta) {
  static DnnlFunction of(ElementwiseSpec s) {
    return switch (s.kind()) {
      case LEAKY_RELU -> new DnnlFunction(dnnl_eltwise_relu, s.alpha(), 0);
      case ELU -> new DnnlFunction(dnnl_eltwise_elu, s.alpha(), 0);
      case CLIP -> new DnnlFunction(dnnl_eltwise_clip_v2, s.alpha(), s.beta());
      case SIGMOID -> new DnnlFunction(dnnl_eltwise_logistic, 0, 0);
      case HARD_SIGMOID -> new DnnlFunction(dnnl_eltwise_hardsigmoid, s.alpha(), s.beta());
      case HARD_SWISH -> new DnnlFunction(dnnl_eltwise_hardswish, 1f / 6, 0.5f);
      case SILU -> new DnnlFunction(dnnl_eltwise_swish, 1, 0);
      case GELU -> new DnnlFunction(dnnl_eltwise_gelu_erf, 0, 0);
      case TANH -> new DnnlFunction(dnnl_eltwise_tanh, 0, 0);
      case SOFTPLUS -> new DnnlFunction(dnnl_eltwise_soft_relu, 1, 0);
      case MISH -> new DnnlFunction(dnnl_eltwise_mish, 0, 0);
      case POWER -> new DnnlFunction(dnnl_eltwise_pow, 1, s.alpha());
    };
  }
}
