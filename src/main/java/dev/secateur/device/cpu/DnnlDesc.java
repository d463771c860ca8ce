package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Extents, element type and order of a tensor as oneDNN sees it, as a value.
 *
 * @param tag a oneDNN format tag, used where {@code strides} is a single 0-dimensional marker
 * @param strides in elements, or equal to {@code dims} where the tag decides
 */
record DnnlDesc(Shape dims, int type, int tag, Shape strides) {
  private static final int[] PLAIN_TAGS = {
    dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde, dnnl_abcdef
  };

  private static final int STRIDED = dnnl_format_tag_undef;

  /** A tensor in its own layout. */
  static DnnlDesc of(Tensor t) {
    Shape s = t.shape();
    return channelsLast(t)
        ? tagged(s, type(t.dtype()), dnnl_acdb)
        : tagged(s, type(t.dtype()), PLAIN_TAGS[s.rank()]);
  }

  /** Floats (N,C,H,W) that lie as N, H, W, C. */
  static DnnlDesc channelsLast(Shape s) {
    return tagged(s, dnnl_f32, dnnl_acdb);
  }

  /** All elements in a row. */
  static DnnlDesc flat(Tensor t) {
    return tagged(Shape.of(t.elements()), type(t.dtype()), dnnl_a);
  }

  static DnnlDesc vector(long n) {
    return tagged(Shape.of(n), dnnl_f32, dnnl_a);
  }

  /** Row-major floats. */
  static DnnlDesc plain(Shape s) {
    return tagged(s, dnnl_f32, PLAIN_TAGS[s.rank()]);
  }

  /** Floats, or BF16 if {@code narrow}, in the order that the primitive likes best. */
  static DnnlDesc any(Shape s, boolean narrow) {
    return tagged(s, dnnl_f32, dnnl_format_tag_any).narrow(narrow);
  }

  /** The same in BF16, if so wanted. */
  DnnlDesc narrow(boolean narrow) {
    return narrow ? new DnnlDesc(dims, dnnl_bf16, tag, strides) : this;
  }

  boolean isNarrow() {
    return type == dnnl_bf16;
  }

  static DnnlDesc strided(Shape s, long... strides) {
    return new DnnlDesc(s, dnnl_f32, STRIDED, Shape.of(strides));
  }

  private static DnnlDesc tagged(Shape s, int type, int tag) {
    return new DnnlDesc(s, type, tag, s);
  }

  /** Whether the elements lie as N, H, W, C; true for some PLAIN tensors as well. */
  static boolean channelsLast(Tensor t) {
    Shape s = t.shape();
    return s.rank() == 4
        && (t.layout() == Layout.CHANNELS_LAST
            || s.dim(1) == 1
            || (s.dim(2) == 1 && s.dim(3) == 1));
  }

  private static int type(DType t) {
    return switch (t) {
      case F32 -> dnnl_f32;
      case F64 -> dnnl_f64;
      case I32 -> dnnl_s32;
      case U8 -> dnnl_u8;
      case F16, BF16 -> throw new IllegalArgumentException("the cpu device takes no " + t);
    };
  }

  /** The native descriptor; the caller destroys it. */
  dnnl_memory_desc create() {
    dnnl_memory_desc md = new dnnl_memory_desc();
    int status =
        tag == STRIDED
            ? dnnl_memory_desc_create_with_strides(
                md, dims.rank(), dims.toArray(), type, strides.toArray())
            : dnnl_memory_desc_create_with_tag(md, dims.rank(), dims.toArray(), type, tag);
    Dnnl.check(status, "descriptor of " + dims);
    return md;
  }
}
