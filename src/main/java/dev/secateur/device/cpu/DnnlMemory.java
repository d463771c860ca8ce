package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Optional;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * A oneDNN memory object: a view of a tensor, or memory of its own. Freed when nothing refers to
 * it.
 */
final class DnnlMemory {
  private final dnnl_memory handle;
  private final Optional<CpuBuffer> buffer;

  private DnnlMemory(dnnl_memory handle, Optional<CpuBuffer> buffer) {
    this.handle = handle;
    this.buffer = buffer;
  }

  /** A view that begins {@code offset} floats into the tensor. */
  static DnnlMemory of(dnnl_memory_desc md, Tensor t, long offset) {
    BytePointer start = CpuBuffer.bytes(t);
    dnnl_memory m = create(md, start.getPointer(offset * t.dtype().bytes()));
    DnnlMemory view = new DnnlMemory(m, Optional.of((CpuBuffer) t.buffer()));
    Dnnl.CLEANER.register(view, () -> dnnl_memory_destroy(m));
    return view;
  }

  /** Memory of its own. */
  static DnnlMemory allocate(dnnl_memory_desc md) {
    long bytes = dnnl_memory_desc_get_size(md);
    CpuBuffer own = new CpuBuffer(bytes);
    return owning(md, own, new Tensor(own, 0, Shape.of(bytes), DType.U8, Layout.PLAIN));
  }

  private static DnnlMemory owning(dnnl_memory_desc md, CpuBuffer own, Tensor all) {
    dnnl_memory m = create(md, CpuBuffer.bytes(all));
    DnnlMemory memory = new DnnlMemory(m, Optional.empty());
    Dnnl.CLEANER.register(
        memory,
        () -> {
          dnnl_memory_destroy(m);
          own.free();
        });
    return memory;
  }

  /** Memory of its own that holds one number so many times. */
  static DnnlMemory filled(dnnl_memory_desc md, long count, float value) {
    CpuBuffer own = new CpuBuffer(count * Float.BYTES);
    Tensor all = new Tensor(own, 0, Shape.of(count), DType.F32, Layout.PLAIN);
    FloatPointer values = CpuBuffer.floats(all);
    for (long i = 0; i < count; i++) {
      values.put(i, value);
    }
    return owning(md, own, all);
  }

  private static dnnl_memory create(dnnl_memory_desc md, Pointer start) {
    dnnl_memory m = new dnnl_memory();
    Dnnl.check(dnnl_memory_create(m, md, Dnnl.engine(), start), "memory object");
    return m;
  }

  dnnl_memory handle() {
    return handle;
  }

  /** The tensor's buffer. */
  Optional<CpuBuffer> buffer() {
    return buffer;
  }
}
