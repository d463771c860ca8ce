package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.cuMemsetD8Async;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Device memory that is freed together, in stream order: closing does not wait. */
final class CudaArena implements Arena {
  private final CudaContext context;
  private final Consumer<CudaArena> onClose;
  private final List<CudaBuffer> buffers = new ArrayList<>();
  private final List<Runnable> beforeFreeing = new ArrayList<>();
  private long bytes;
  private boolean closed;

  CudaArena(CudaContext context, Consumer<CudaArena> onClose) {
    this.context = context;
    this.onClose = onClose;
  }

  @Override
  public Tensor allocate(Shape shape, DType dtype, Layout layout) {
    if (closed) {
      throw new IllegalStateException("the arena is closed");
    }
    Contract.allocation(shape, layout);
    long size = Math.multiplyExact(shape.elements(), dtype.bytes());
    DevicePointer p = context.allocate(size);
    CudaBuffer b = new CudaBuffer(p, size);
    buffers.add(b);
    bytes += size;
    Status.driver(
        cuMemsetD8Async(p, (byte) 0, size, context.stream()),
        "clearing memory of the GPU (cuMemsetD8Async)");
    return new Tensor(b, 0, shape, dtype, layout);
  }

  @Override
  public long bytes() {
    return bytes;
  }

  /** Runs when the arena is closed, while its memory is still there. */
  void onClose(Runnable r) {
    if (closed) {
      throw new IllegalStateException("the arena is closed");
    }
    beforeFreeing.add(r);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      onClose.accept(this);
      bytes = 0;
      Cleanup all = new Cleanup();
      buffers.forEach(b -> all.add(() -> b.free(context)));
      buffers.clear();
      beforeFreeing.forEach(all::add);
      beforeFreeing.clear();
      all.close();
    }
  }
}
