package dev.secateur.device;

import dev.secateur.SecateurException;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All that numerical code talks to. A device owns memory ({@link Arena}) and one ordered stream of
 * work: kernels and uploads run in the order in which they were launched, downloads and {@link
 * #synchronize} wait for them, nothing else does. What it computes is told by kind: {@link
 * Convolutions}, {@link Norms}, {@link Pls}, ...
 *
 * <p>Operations are compiled once for fixed tensors (see {@link Kernel}). Activations are (N, C, H,
 * W) in {@link #activationType()} and {@link #activationLayout()}, weights of convolutions in the
 * same type and in {@link #weightLayout()}, those of linear layers in the same type; other matrices
 * and vectors are PLAIN. Unless an operation says otherwise every other tensor is F32 and outputs
 * do not overlap inputs. Factory methods throw {@link IllegalArgumentException} when shapes do not
 * fit. Not thread-safe: one thread drives a device.
 */
public interface Device extends AutoCloseable {

  /** "cpu" or "cuda:N". */
  String name();

  /** The processor in words, for reports. */
  String description();

  /** Libraries in use and their versions. */
  Map<String, String> versions();

  /**
   * What has been done on this device otherwise than it was asked to since it was opened, because a
   * library refused or {@link #fellBack} was told, in words, and how often.
   */
  default Map<String, Integer> fallbacks() {
    return Map.of();
  }

  /** Notes that something is done in a slower way than this device has, and why, in words. */
  default void fellBack(String what) {}

  /** Elements that a batch of images may have in any layer. */
  default long mostElements() {
    return Long.MAX_VALUE;
  }

  /** What operations demand of their operands. */
  Contract contract();

  /** Layout of activations. */
  default Layout activationLayout() {
    return contract().layout();
  }

  /** Type of activations, of convolution and linear weights, and of the biases beside them. */
  default DType activationType() {
    return contract().type();
  }

  /** Layout of convolution weights. */
  default Layout weightLayout() {
    return contract().weights();
  }

  /** What channels of activations are best a multiple of; 1 where any number is as good. */
  default int channelMultiple() {
    return contract().multiple();
  }

  /** Present where {@link #activationType} or {@link #weightLayout} is not as parameters are. */
  default Optional<MixedPrecision> mixedPrecision() {
    return Optional.empty();
  }

  Arena newArena();

  HostBuffer hostBuffer(long bytes);

  /** Enqueues a copy of the first {@code dst.bytes()} bytes of staging memory. */
  void upload(HostBuffer src, Tensor dst);

  /**
   * Copies an array in PLAIN order into a tensor of as many elements (F32, or a 16-bit activation
   * type, rounded to the nearest); the array may change at once.
   */
  void upload(float[] src, Tensor dst);

  /** Copies an array into a tensor of as many elements (I32); the array may change at once. */
  void upload(int[] src, Tensor dst);

  /**
   * Waits for the stream and copies a tensor (F32, F64 rounded, or 16-bit widened) out in PLAIN
   * order.
   */
  float[] downloadFloats(Tensor src);

  /** Waits for the stream and copies a tensor (widened to F64) out in PLAIN order. */
  double[] downloadDoubles(Tensor src);

  void synchronize();

  /**
   * One kernel that runs all of them in order, with the results of launching each. A device may
   * prepare the whole at its second launch and enqueue it at once from then on; it then takes the
   * kernels as they are at that time.
   *
   * @param kernels of this device; what they read and write may change between launches, where it
   *     lies may not
   * @param arena holds what the device prepares; once it is closed the kernel must not be launched
   */
  Kernel sequence(List<Kernel> kernels, Arena arena);

  /**
   * Milliseconds that the device spends on what {@code work} launches, between two events of its
   * own where it has them (CUDA), else on the host's clock. Waits for the work, and for earlier
   * work before it begins.
   */
  double time(Runnable work);

  /**
   * Milliseconds that the device spends on each of several kernels: they are launched once, in
   * order, with a stamp of the device's own clock (CUDA: an event) before, between and behind them.
   * Waits for them, and for earlier work before it begins.
   *
   * @param ahead launched first and not timed. On a GPU it has to take longer than the host takes
   *     to enqueue the kernels; {@link KernelTimes#gapless} says whether it did
   */
  KernelTimes timeEach(Kernel ahead, List<Kernel> kernels);

  /**
   * Bytes of scratch memory that the hungriest of the kernels made since the last call needs. All
   * kernels share one piece as large as the hungriest of all needs, so this is what a network adds
   * if it runs alone; 0 where libraries see to their own.
   */
  default long takeScratchBytes() {
    return 0;
  }

  /**
   * Begins to read the energy that the device takes.
   *
   * @throws SecateurException in one line, where nothing tells
   */
  default EnergyMeter openEnergyMeter() {
    throw new SecateurException("the " + name() + " device does not tell its energy");
  }

  // ---- operations, by kind ----------------------------------------------------------------------

  Convolutions convolutions();

  Linear linear();

  Norms norms();

  Pools pools();

  Pointwise pointwise();

  Reductions reductions();

  Moves moves();

  Matrices matrices();

  Pls pls();

  Training training();

  @Override
  void close();
}
