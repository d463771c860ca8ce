package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;
import static org.bytedeco.openblas.global.openblas.*;

import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/** Linear layers on plain matrices, and the sums behind bias gradients. */
final class LinearKernels {
  private final Dnnl dnnl;

  LinearKernels(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  Kernel forward(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    check(x, w, y);
    Check.that(epilogue.residual().isEmpty(), "a linear layer takes no residual");
    epilogue.bias().ifPresent(b -> Check.vector("bias", b, w.shape().dim(0)));
    boolean bias = epilogue.bias().isPresent();
    Desc xd = Desc.of(x);
    Desc wd = Desc.of(w);
    Desc yd = Desc.of(y);
    Primitive p =
        product(xd, wd, yd, bias, dnnl_forward_inference, PostOps.of(epilogue.activation()));
    Execution.Builder e =
        new Execution.Builder(p)
            .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
            .arg(DNNL_ARG_WEIGHTS, dnnl.memory(wd, w))
            .arg(DNNL_ARG_DST, dnnl.memory(yd, y));
    epilogue.bias().ifPresent(b -> e.arg(DNNL_ARG_BIAS, dnnl.memory(Desc.of(b), b)));
    return e.build();
  }

  Kernel backwardData(Tensor dy, Tensor w, Tensor dx) {
    check(dx, w, dy);
    Desc xd = Desc.of(dx);
    Desc wd = Desc.of(w);
    Desc yd = Desc.of(dy);
    Primitive p =
        dnnl.primitive(
            List.of("inner product, backward data", xd, wd, yd),
            (d, a) ->
                dnnl_inner_product_backward_data_primitive_desc_create(
                    d,
                    Dnnl.engine(),
                    dnnl.md(xd),
                    dnnl.md(wd),
                    dnnl.md(yd),
                    product(xd, wd, yd, false, dnnl_forward_training, PostOps.NONE).desc(),
                    a));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
        .arg(DNNL_ARG_WEIGHTS, dnnl.memory(wd, w))
        .arg(DNNL_ARG_DIFF_SRC, dnnl.memory(xd, dx))
        .build();
  }

  Kernel backwardWeights(Tensor x, Tensor dy, Tensor dw) {
    check(x, dw, dy);
    Desc xd = Desc.of(x);
    Desc wd = Desc.of(dw);
    Desc yd = Desc.of(dy);
    Primitive p =
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
                    product(xd, wd, yd, false, dnnl_forward_training, PostOps.NONE).desc(),
                    a));
    return new Execution.Builder(p)
        .arg(DNNL_ARG_SRC, dnnl.memory(xd, x))
        .arg(DNNL_ARG_DIFF_DST, dnnl.memory(yd, dy))
        .arg(DNNL_ARG_DIFF_WEIGHTS, dnnl.memory(wd, dw))
        .build();
  }

  /** Sums over all axes but the channels: the product of the transposed rows with ones. */
  Kernel biasBackward(Tensor dy, Tensor db) {
    if (dy.shape().rank() == 2) {
      Check.plain("gradient of a linear layer", dy);
    } else {
      Check.activation("gradient of a convolution", dy);
    }
    int c = dy.shape().size(1);
    Check.floats("bias gradient", db);
    Check.that(
        db.shape().equals(Shape.of(c)),
        "bias gradient " + db.shape() + " does not fit " + dy.shape());
    int rows = Math.toIntExact(dy.elements() / c);
    float[] units = new float[rows];
    Arrays.fill(units, 1f);
    FloatPointer ones = new FloatPointer(units);
    FloatPointer in = CpuBuffer.floats(dy);
    FloatPointer out = CpuBuffer.floats(db);
    CpuBuffer from = (CpuBuffer) dy.buffer();
    CpuBuffer to = (CpuBuffer) db.buffer();
    return () -> {
      from.requireOpen();
      to.requireOpen();
      cblas_sgemv(CblasRowMajor, CblasTrans, rows, c, 1f, in, c, ones, 1, 0f, out, 1);
    };
  }

  private Primitive product(Desc xd, Desc wd, Desc yd, boolean bias, int kind, PostOps ops) {
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
                bias ? dnnl.md(Desc.vector(wd.dims().dim(0))) : null,
                dnnl.md(yd),
                a));
  }

  private static void check(Tensor x, Tensor w, Tensor y) {
    Check.plain("linear input", x);
    Check.plain("linear weights", w);
    Check.plain("linear output", y);
    Check.rank("linear input", x, 2);
    Check.rank("linear weights", w, 2);
    Check.that(
        x.shape().dim(1) == w.shape().dim(1),
        "linear weights " + w.shape() + " do not fit input " + x.shape());
    Check.shape("linear output", y, x.shape().dim(0), w.shape().dim(0));
  }
}
