package dev.secateur.device;

import java.nio.ByteBuffer;

/** Staging memory that the device reads fastest (pinned for CUDA). Owned by the device. */
public interface HostBuffer extends AutoCloseable {
  /** Direct, native byte order; the same object at each call. */
  ByteBuffer bytes();

  /** Waits until the device has read the last upload from this buffer, so that it may change. */
  void awaitRead();

  @Override
  void close();
}
