package dev.secateur.bench;

/** A network, ready to compute one batch by some engine. */
public interface Contender extends AutoCloseable {
  /** "secateur" or "onnxruntime". */
  String engine();

  /** Computes a batch, waits for its end and says how many milliseconds it took. */
  double run();

  /**
   * Bytes of device memory that running this network takes at most: its parameters, their copies as
   * kernels read them, activations (in training gradients and momentum too), and the scratch memory
   * of its hungriest kernel. All of it is there once the network is compiled and nothing is
   * allocated while it runs, so what is held is the peak. Not counted: what compiling takes for a
   * moment to try algorithms, the device's context, and what libraries hold for themselves
   * (oneDNN's scratch memory, cuDNN's handles, CUDA graphs). -1 where unknown (ONNX Runtime).
   */
  long peakBytes();

  @Override
  void close();
}
