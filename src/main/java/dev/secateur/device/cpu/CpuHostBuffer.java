package dev.secateur.device.cpu;

import dev.secateur.device.HostBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Staging memory; uploads read it at once. */
final class CpuHostBuffer implements HostBuffer {
  private final ByteBuffer bytes;

  CpuHostBuffer(long size) {
    if (size < 0 || size > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("staging memory of " + size + " bytes");
    }
    bytes = ByteBuffer.allocateDirect((int) size).order(ByteOrder.nativeOrder());
  }

  @Override
  public ByteBuffer bytes() {
    return bytes;
  }

  @Override
  public void awaitRead() {}

  @Override
  public void close() {}
}
