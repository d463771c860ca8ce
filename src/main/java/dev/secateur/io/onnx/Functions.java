package dev.secateur.io.onnx;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Op;

/** Functions of one number that the importer looks for by value. */
final class Functions {
  static final Op RELU = new Activate(Activation.RELU);
  static final Op RELU6 = new Activate(Activation.RELU6);
  static final Op SIGMOID = of(ElementwiseSpec.Kind.SIGMOID);
  static final Op SILU = of(ElementwiseSpec.Kind.SILU);
  static final Op GELU = of(ElementwiseSpec.Kind.GELU);
  static final Op TANH = of(ElementwiseSpec.Kind.TANH);
  static final Op SOFTPLUS = of(ElementwiseSpec.Kind.SOFTPLUS);
  static final Op MISH = of(ElementwiseSpec.Kind.MISH);
  static final Op HARD_SWISH = of(ElementwiseSpec.Kind.HARD_SWISH);
  static final Op HARD_SIGMOID = of(ElementwiseSpec.Kind.HARD_SIGMOID, 1f / 6, 0.5f);

  private Functions() {}

  static Op of(ElementwiseSpec.Kind kind) {
    return of(kind, 0, 0);
  }

  static Op of(ElementwiseSpec.Kind kind, float alpha, float beta) {
    return new Elementwise(new ElementwiseSpec(kind, alpha, beta));
  }
}
