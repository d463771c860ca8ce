package dev.secateur.device;

/**
 * Work compiled for fixed tensors: descriptors, algorithm and arguments are chosen once, {@link
 * #launch} only enqueues it on the device's stream. Launching allocates nothing and does not wait.
 */
@FunctionalInterface
public interface Kernel {
  void launch();
}
