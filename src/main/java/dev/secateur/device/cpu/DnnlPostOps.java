package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Activation;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_post_ops;
import org.bytedeco.dnnl.dnnl_primitive_attr;

/**
 * What a primitive does to its result before it stores it, in this order.
 *
 * @param sum adds what the destination held
 * @param addend adds another tensor, the argument {@link #ADDEND}
 * @param activation the activation
 * @param function another function of each element, last
 */
record DnnlPostOps(
    boolean sum,
    Optional<DnnlDesc> addend,
    Activation activation,
    Optional<DnnlFunction> function) {
  static final DnnlPostOps NONE = of(Activation.NONE);

  /** Argument index of the addend where there is no sum. */
  static final int ADDEND = DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1;

  /** Argument index of the addend behind a sum. */
  static int secondAddend() {
    return 2 * DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1;
  }

  static DnnlPostOps of(Activation activation) {
    return new DnnlPostOps(false, Optional.empty(), activation, Optional.empty());
  }

  /** Native attributes, which the caller destroys, or null (oneDNN's default) for none. */
  dnnl_primitive_attr attributes(Dnnl dnnl) {
    if (equals(NONE)) {
      return null;
    }
    dnnl_post_ops ops = new dnnl_post_ops();
    Dnnl.check(dnnl_post_ops_create(ops), "post-ops");
    try {
      if (sum) {
        Dnnl.check(dnnl_post_ops_append_sum(ops, 1f, 0, dnnl_data_type_undef), "sum post-op");
      }
      if (addend.isPresent()) {
        Dnnl.check(
            dnnl_post_ops_append_binary(ops, dnnl_binary_add, dnnl.md(addend.get())),
            "addition post-op");
      }
      switch (activation) {
        case RELU ->
            Dnnl.check(dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0f, 0f), "ReLU");
        case RELU6 ->
            Dnnl.check(dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_clip, 0f, 6f), "ReLU6");
        case NONE -> {}
      }
      if (function.isPresent()) {
        DnnlFunction f = function.get();
        Dnnl.check(
            dnnl_post_ops_append_eltwise(ops, f.algorithm(), f.alpha(), f.beta()),
            "function post-op");
      }
      dnnl_primitive_attr attributes = new dnnl_primitive_attr();
      Dnnl.check(dnnl_primitive_attr_create(attributes), "attributes");
      Dnnl.check(dnnl_primitive_attr_set_post_ops(attributes, ops), "attributes");
      return attributes;
    } finally {
      dnnl_post_ops_destroy(ops);
    }
  }
}
