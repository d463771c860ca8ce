package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Device memory handed from one activation to the next while a program is compiled: what is
 * released is taken again by a later value. Safe because a device runs kernels in launch order.
 */
final class SlabPool {
  private final Arena arena;
  private final List<Slab> free = new ArrayList<>();

  SlabPool(Arena arena) {
    this.arena = arena;
  }

  /** A piece of memory and how many values lie in it. */
  static final class Slab {
    private final Tensor memory;
    private int users = 1;

    private Slab(Tensor memory) {
      this.memory = memory;
    }

    Tensor as(Shape shape, DType type, Layout layout) {
      return new Tensor(memory.buffer(), memory.byteOffset(), shape, type, layout);
    }

    boolean shared() {
      return users > 1;
    }

    Slab share() {
      users++;
      return this;
    }
  }

  /** The smallest free slab that holds so many bytes, or a new one; used once. */
  Slab take(long bytes) {
    int best = -1;
    for (int i = 0; i < free.size(); i++) {
      long size = free.get(i).memory.bytes();
      if (size >= bytes && (best < 0 || size < free.get(best).memory.bytes())) {
        best = i;
      }
    }
    Slab slab =
        best < 0
            ? new Slab(arena.allocate(Shape.of(bytes), DType.U8, Layout.PLAIN))
            : free.remove(best);
    slab.users = 1;
    return slab;
  }

  /** One user less; the last one gives the memory back. */
  void release(Slab slab) {
    if (--slab.users == 0) {
      free.add(slab);
    }
  }
}
