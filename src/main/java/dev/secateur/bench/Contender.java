package dev.secateur.bench;

/** A network, ready to compute one batch by some engine. */
public interface Contender extends AutoCloseable {
  /** "secateur" or "onnxruntime". */
  String engine();

  /** Computes a batch and waits for its end. */
  void run();

  /** Bytes of device memory that the network and its activations hold; -1 where unknown. */
  long deviceBytes();

  @Override
  void close();
}
