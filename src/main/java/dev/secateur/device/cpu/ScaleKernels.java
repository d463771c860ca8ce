package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Products, and numbers a channel. */
final class ScaleKernels {
  private final Dnnl dnnl;

  ScaleKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel multiply(Tensor a, Tensor b, Tensor y) {
    Check.sameOrder("product", a, y);
    if (!a.shape().equals(b.shape())) {
      return new CpuChannelFactors(a, b, y);
    }
    Check.sameOrder("product", a, b);
    Desc d = Desc.flat(a);
    return binary(dnnl_binary_mul, d, a, d, b, y, Activation.NONE);
  }

  Kernel channelProducts(Tensor a, Tensor b, Tensor y) {
    return new CpuChannelProducts(a, b, y);
  }

  Kernel addBias(Tensor bias, Activation activation, Tensor y) {
    Check.activation("sum with a bias", y);
    long c = y.shape().dim(1);
    Check.vector("bias", bias, c);
    Desc each = Desc.plain(Shape.of(1, c, 1, 1));
    return binary(dnnl_binary_add, Desc.of(y), y, each, bias, y, activation);
  }

  private Kernel binary(
      int algorithm, Desc ad, Tensor a, Desc bd, Tensor b, Tensor y, Activation activation) {
    Primitive p =
        dnnl.primitive(
            List.of("binary", algorithm, ad, bd),
            PostOps.of(activation),
            (pd, attributes) ->
                dnnl_binary_primitive_desc_create(
                    pd,
                    Dnnl.engine(),
                    algorithm,
                    dnnl.md(ad),
                    dnnl.md(bd),
                    dnnl.md(ad),
                    attributes));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_SRC_0, dnnl.memory(ad, a))
        .arg(DNNL_ARG_SRC_1, dnnl.memory(bd, b))
        .arg(DNNL_ARG_DST, dnnl.memory(ad, y))
        .build();
  }
}
