package dev.secateur.device.cpu;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Native memory that is freed together. */
final class CpuArena implements Arena {
  private final List<CpuBuffer> buffers = new ArrayList<>();
  private final Consumer<CpuArena> onClose;
  private long bytes;
  private boolean closed;

  CpuArena(Consumer<CpuArena> onClose) {
    this.onClose = onClose;
  }

  @Override
  public Tensor allocate(Shape shape, DType dtype, Layout layout) {
    if (closed) {
      throw new IllegalStateException("the arena is closed");
    }
    Contract.allocation(shape, layout);
    long size = Math.multiplyExact(shape.elements(), dtype.bytes());
    CpuBuffer b = new CpuBuffer(size);
    buffers.add(b);
    bytes += size;
    return new Tensor(b, 0, shape, dtype, layout);
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      buffers.forEach(CpuBuffer::free);
      buffers.clear();
      bytes = 0;
      onClose.accept(this);
    }
  }
}
