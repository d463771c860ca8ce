package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import java.util.List;
import java.util.function.ToIntFunction;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** Compiled code of one operation for one set of shapes; freed when nothing refers to it. */
final class DnnlPrimitive {
  private final dnnl_primitive_desc desc;
  private final dnnl_primitive handle;

  private DnnlPrimitive(dnnl_primitive_desc desc, dnnl_primitive handle) {
    this.desc = desc;
    this.handle = handle;
    Dnnl.CLEANER.register(this, () -> destroy(desc, handle));
  }

  private static void destroy(dnnl_primitive_desc desc, dnnl_primitive handle) {
    dnnl_primitive_destroy(handle);
    dnnl_primitive_desc_destroy(desc);
  }

  static DnnlPrimitive create(List<?> what, ToIntFunction<dnnl_primitive_desc> factory) {
    dnnl_primitive_desc desc = new dnnl_primitive_desc();
    Dnnl.check(factory.applyAsInt(desc), "descriptor of " + what);
    dnnl_primitive handle = new dnnl_primitive();
    Dnnl.check(dnnl_primitive_create(handle, desc), "compilation of " + what);
    return new DnnlPrimitive(desc, handle);
  }

  dnnl_primitive handle() {
    return handle;
  }

  /** The descriptor, for the creation of backward primitives. */
  dnnl_primitive_desc desc() {
    return desc;
  }

  /** The layout chosen for an argument (a {@code dnnl_query_*_md}); valid as long as this. */
  dnnl_memory_desc query(int what) {
    return dnnl_primitive_desc_query_md(desc, what, 0);
  }
}
