package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Arena;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** What a forward primitive leaves for its backward one. */
final class DnnlWorkspace {
  private DnnlWorkspace() {}

  /** The workspace of a primitive in the arena, if it wants one. */
  static Optional<DnnlMemory> of(DnnlPrimitive p, Arena arena) {
    dnnl_memory_desc md = p.query(dnnl_query_workspace_md);
    long bytes = md == null || md.isNull() ? 0 : dnnl_memory_desc_get_size(md);
    return bytes == 0
        ? Optional.empty()
        : Optional.of(
            DnnlMemory.of(md, arena.allocate(Shape.of(bytes), DType.U8, Layout.PLAIN), 0));
  }
}
