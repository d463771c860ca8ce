package dev.secateur.bench;

/** A network, ready to compute one batch by some engine. */
public interface Contender extends AutoCloseable {
  /** "secateur" or "onnxruntime". */
  String engine();

  /** Computes a batch, waits for its end and says how many milliseconds it took. */
  double run();

  /** Bytes of device memory that the network and its activations hold; -1 where unknown. */
  long deviceBytes();

  @Override
  void close();
}
