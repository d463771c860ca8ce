package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.*;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.lang.ref.Cleaner;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.dnnl_stream;

/**
 * oneDNN's CPU engine with one stream, and the primitives compiled so far, by what they compute.
 * The engine and the stream live as long as the process, primitives as long as anything refers to
 * them, so that a kernel that outlives its device is merely useless.
 */
final class Dnnl {
  static final Cleaner CLEANER = Cleaner.create();
  private static final int PRIMITIVE_CACHE = 8192;
  private static final dnnl_engine ENGINE = new dnnl_engine();
  private static final dnnl_stream STREAM = new dnnl_stream();

  static {
    check(dnnl_set_primitive_cache_capacity(PRIMITIVE_CACHE), "primitive cache");
    check(dnnl_engine_create(ENGINE, dnnl_cpu, 0), "CPU engine");
    check(dnnl_stream_create(STREAM, ENGINE, dnnl_stream_default_flags), "stream");
  }

  private final Map<DnnlDesc, dnnl_memory_desc> descs = new HashMap<>();
  private final Map<List<?>, DnnlPrimitive> primitives = new HashMap<>();

  /** Creates the descriptor of a primitive. */
  @FunctionalInterface
  interface DescFactory {
    int create(dnnl_primitive_desc desc, dnnl_primitive_attr attributes);
  }

  static dnnl_engine engine() {
    return ENGINE;
  }

  static dnnl_stream stream() {
    return STREAM;
  }

  static void check(int status, String what) {
    if (status != dnnl_success) {
      throw new IllegalStateException("oneDNN: " + what + " failed: " + statusName(status));
    }
  }

  private static String statusName(int status) {
    return switch (status) {
      case 1 -> "out of memory";
      case 2 -> "invalid arguments";
      case 3 -> "unimplemented";
      case 4 -> "last implementation reached";
      case 5 -> "runtime error";
      case 6 -> "not required";
      default -> "status " + status;
    };
  }

  /** The native form of a descriptor; owned here. */
  dnnl_memory_desc md(DnnlDesc d) {
    return descs.computeIfAbsent(d, DnnlDesc::create);
  }

  /**
   * The primitive for a key, compiled at the first use.
   *
   * @param key everything that the factory reads
   */
  DnnlPrimitive primitive(List<?> key, DnnlPostOps postOps, DescFactory factory) {
    List<?> whole = List.of(key, postOps);
    DnnlPrimitive p = primitives.get(whole);
    if (p == null) {
      dnnl_primitive_attr attributes = postOps.attributes(this);
      try {
        p = DnnlPrimitive.create(key, d -> factory.create(d, attributes));
      } finally {
        if (attributes != null) {
          dnnl_primitive_attr_destroy(attributes);
        }
      }
      primitives.put(whole, p);
    }
    return p;
  }

  DnnlPrimitive primitive(List<?> key, DescFactory factory) {
    return primitive(key, DnnlPostOps.NONE, factory);
  }

  DnnlMemory memory(DnnlDesc d, Tensor t) {
    return DnnlMemory.of(md(d), t, 0);
  }

  /** Copies between two memories that describe the same logical tensor. */
  Kernel reorder(dnnl_memory_desc from, DnnlMemory src, dnnl_memory_desc to, DnnlMemory dst) {
    DnnlPrimitive p =
        DnnlPrimitive.create(
            List.of("reorder"),
            d -> dnnl_reorder_primitive_desc_create(d, from, ENGINE, to, ENGINE, null));
    return new DnnlExecution.Builder(p).arg(DNNL_ARG_FROM, src).arg(DNNL_ARG_TO, dst).build();
  }

  /** Copies between two memories that describe the same logical tensor. */
  Kernel reorder(DnnlDesc from, DnnlMemory src, DnnlDesc to, DnnlMemory dst) {
    DnnlPrimitive p =
        primitive(
            List.of("reorder", from, to),
            (d, a) -> dnnl_reorder_primitive_desc_create(d, md(from), ENGINE, md(to), ENGINE, a));
    return new DnnlExecution.Builder(p).arg(DNNL_ARG_FROM, src).arg(DNNL_ARG_TO, dst).build();
  }

  /** Forgets all primitives. */
  void close() {
    descs.values().forEach(org.bytedeco.dnnl.global.dnnl::dnnl_memory_desc_destroy);
    descs.clear();
    primitives.clear();
  }
}
