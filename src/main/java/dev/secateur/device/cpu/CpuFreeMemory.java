package dev.secateur.device.cpu;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.Pointer;

/**
 * Native memory that was given back, kept for the next taker: a fresh page costs the kernel many
 * times what zeroing it costs us. Small blocks go straight back to malloc.
 */
final class CpuFreeMemory {
  private static final long LEAST = 1 << 16;
  private static final long MOST_KEPT = 2L << 30;
  private static final TreeMap<Long, Deque<Pointer>> BLOCKS = new TreeMap<>();
  private static long kept;

  private CpuFreeMemory() {}

  /** At least {@code bytes}, not zeroed, and how many they are. */
  record Block(Pointer address, long bytes) {}

  /**
   * A kept block of at most twice the size, or a new one.
   *
   * @throws OutOfMemoryError when there is none
   */
  static synchronized Block take(long bytes) {
    Map.Entry<Long, Deque<Pointer>> fit = BLOCKS.ceilingEntry(bytes);
    if (bytes >= LEAST && fit != null && fit.getKey() <= 2 * bytes) {
      Pointer p = fit.getValue().pop();
      if (fit.getValue().isEmpty()) {
        BLOCKS.remove(fit.getKey());
      }
      kept -= fit.getKey();
      return new Block(p, fit.getKey());
    }
    Pointer p = Pointer.malloc(bytes);
    if (p == null || p.isNull()) {
      release();
      p = Pointer.malloc(bytes);
    }
    if (p == null || p.isNull()) {
      throw new OutOfMemoryError("cannot allocate " + bytes + " bytes of native memory");
    }
    return new Block(p, bytes);
  }

  static synchronized void giveBack(Block b) {
    if (b.bytes() < LEAST || kept + b.bytes() > MOST_KEPT) {
      Pointer.free(b.address());
    } else {
      BLOCKS.computeIfAbsent(b.bytes(), k -> new ArrayDeque<>()).push(b.address());
      kept += b.bytes();
    }
  }

  private static void release() {
    BLOCKS.values().forEach(d -> d.forEach(Pointer::free));
    BLOCKS.clear();
    kept = 0;
  }
}
