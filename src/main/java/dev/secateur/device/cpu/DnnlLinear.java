package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Contract;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Linear;
import dev.secateur.tensor.Tensor;
import java.util.List;

/** Linear layers: inner products. */
final class DnnlLinear implements Linear {
  private final Dnnl dnnl;

  DnnlLinear(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileForward(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    boolean bias = epilogue.bias().isPresent();
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc wd = DnnlDesc.of(w);
    DnnlDesc yd = DnnlDesc.of(y);
    DnnlPrimitive p =
        product(xd, wd, yd, bias, dnnl_forward_inference, DnnlPostOps.of(epilogue.activation()));
    DnnlExecution.Builder e =
        new DnnlExecution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_WEIGHTS, dnnl.memory(wd, w))
            .arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    epilogue.bias().ifPresent(b -> e.arg(DNNL_ARG_BIAS, dnnl.memory(DnnlDesc.of(b), b)));
    return e.build();
  }

  @Override
  public Kernel compileBackwardData(Tensor dy, Tensor w, Tensor dx) {
    DnnlDesc xd = DnnlDesc.of(dx);
    DnnlDesc wd = DnnlDesc.of(w);
    DnnlDesc yd = DnnlDesc.of(dy);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("inner product, backward data", xd, wd, yd),
            (d, a) ->
                dnnl_inner_product_backward_data_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl.md(xd),
                    dnnl.md(wd),
                    dnnl.md(yd),
                    product(xd, wd, yd, false, dnnl_forward_training, DnnlPostOps.NONE).desc(),
                    a));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
        .arg(DNNL_ARG_WEIGHTS, dnnl.memory(wd, w))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx))
        .build();
  }

  @Override
  public Kernel compileBackwardWeights(Tensor x, Tensor dy, Tensor dw) {
    DnnlDesc xd = DnnlDesc.of(x);
    DnnlDesc wd = DnnlDesc.of(dw);
    DnnlDesc yd = DnnlDesc.of(dy);
    DnnlPrimitive p =
        dnnl.primitive(
            List.of("inner product, backward weights", xd, wd, yd),
            (d, a) ->
                dnnl_inner_product_backward_weights_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl.md(xd),
                    dnnl.md(wd),
                    null,
                    dnnl.md(yd),
                    product(xd, wd, yd, false, dnnl_forward_training, DnnlPostOps.NONE).desc(),
                    a));
    return new DnnlExecution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
        .arg(DNNL_ARG_DIFF_WEIGHTS, dnnl.memory(wd, dw))
        .build();
  }

  private DnnlPrimitive product(
      DnnlDesc xd, DnnlDesc wd, DnnlDesc yd, boolean bias, int kind, DnnlPostOps ops) {
    return dnnl.primitive(
        List.of("inner product", kind, xd, wd, yd, bias),
        ops,
        (d, a) ->
            dnnl_inner_product_forward_primitive_desc_create(
                d,
                Dnnl.engine(),
                kind,
                dnnl.md(xd),
                dnnl.md(wd),
                bias ? dnnl.md(DnnlDesc.vector(wd.dims().dim(0))) : null,
                dnnl.md(yd),
                a));
  }
}
