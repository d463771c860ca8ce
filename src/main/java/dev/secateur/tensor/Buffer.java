package dev.secateur.tensor;

/** Memory on a device, owned by the arena that it was taken from. Opaque outside that device. */
public interface Buffer {
  long bytes();
}
