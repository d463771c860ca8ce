package dev.secateur.device;

import java.util.List;

/**
 * Work compiled for fixed tensors: descriptors, algorithm and arguments are chosen once, {@link
 * #launch} only enqueues it on the device's stream. Launching allocates nothing and does not wait.
 */
@FunctionalInterface
public interface Kernel {
  void launch();

  /** Launches them one by one, in order. */
  static Kernel each(List<Kernel> kernels) {
    List<Kernel> all = List.copyOf(kernels);
    return () -> {
      for (Kernel k : all) {
        k.launch();
      }
    };
  }
}
