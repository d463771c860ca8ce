package dev.secateur.device.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;

import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** A primitive with its arguments in place. */
final class DnnlExecution implements Kernel {
  private final DnnlPrimitive primitive;
  private final List<DnnlMemory> memories;
  private final CpuBuffer[] buffers;
  private final dnnl_exec_arg_t arguments;

  private DnnlExecution(DnnlPrimitive primitive, List<Integer> ids, List<DnnlMemory> memories) {
    this.primitive = primitive;
    this.memories = List.copyOf(memories);
    this.buffers =
        memories.stream().flatMap(m -> m.buffer().stream()).distinct().toArray(CpuBuffer[]::new);
    dnnl_exec_arg_t a = new dnnl_exec_arg_t(ids.size());
    for (int i = 0; i < ids.size(); i++) {
      a.position(i).arg(ids.get(i)).memory(memories.get(i).handle());
    }
    this.arguments = a.position(0);
  }

  @Override
  public void launch() {
    CpuBuffer.requireOpen(buffers);
    Dnnl.check(
        dnnl_primitive_execute(primitive.handle(), Dnnl.stream(), memories.size(), arguments),
        "execution");
    Reference.reachabilityFence(this);
  }

  /** Collects arguments. */
  static final class Builder {
    private final DnnlPrimitive primitive;
    private final List<Integer> ids = new ArrayList<>();
    private final List<DnnlMemory> memories = new ArrayList<>();

    Builder(DnnlPrimitive primitive) {
      this.primitive = primitive;
    }

    Builder arg(int id, DnnlMemory memory) {
      ids.add(id);
      memories.add(memory);
      return this;
    }

    Builder arg(int id, dnnl_memory_desc md, Tensor t) {
      return arg(id, DnnlMemory.of(md, t, 0));
    }

    DnnlExecution build() {
      return new DnnlExecution(primitive, ids, memories);
    }
  }
}
