package dev.secateur.device;

import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * Training of parameters that are kept in F32 while layers compute with copies in {@link
 * Device#activationType()} and {@link Device#weightLayout()}. All trainable parameters are one
 * vector; every one begins at a multiple of {@link #UNIT} elements of it.
 *
 * <p>The loss may be scaled, so that small gradients do not vanish in half precision: the scale is
 * {@code state}, F32 (3) on the device: scale, good steps since it changed, and not 0 after an
 * overflow. Nothing about it reaches the host.
 */
public interface MixedPrecision {

  /** Elements of a vector of parameters, at whose multiples they begin: 64 bytes in F32. */
  int UNIT = 16;

  /** Whether gradients are in half precision, so that the loss must be scaled. */
  boolean scalesLoss();

  /**
   * packed = the parameters of flat, converted, each where and shaped as its copy is; zero
   * elsewhere.
   *
   * @param flat F32 (n)
   * @param copies of parameters, in the order in which these lie in flat
   * @param packed activation type (m), m a multiple of 16
   * @param arena keeps a table
   */
  Kernel pack(Tensor flat, List<ParameterCopy> copies, Tensor packed, Arena arena);

  /**
   * The gradients of filters (rank 4) out of packed into gradients, in the parameters' order, and
   * all of gradients divided by the scale; notes an overflow where one is not finite.
   *
   * @param packed activation type (m): gradients of filters where their copies lie
   * @param flat the parameters, F32 (n)
   * @param copies as in {@link #pack}
   * @param gradients F32 (n)
   * @param state empty where the loss is not scaled
   */
  Kernel unpack(
      Tensor packed,
      Tensor flat,
      List<ParameterCopy> copies,
      Tensor gradients,
      Optional<Tensor> state,
      Arena arena);

  /**
   * y = x times the scale, converted; forgets an overflow noted before.
   *
   * @param x F32
   * @param y activation type
   */
  Kernel scaleLoss(Tensor x, Tensor y, Optional<Tensor> state);

  /** {@link Training#sgd}, which does nothing after an overflow, and the next step's scale. */
  Kernel sgd(Tensor p, Tensor grad, Tensor velocity, Tensor lr, SgdSpec spec, Tensor state);

  /** {@link Training#adamW} likewise; a step that does nothing does not count. */
  Kernel adamW(
      Tensor p,
      Tensor grad,
      Tensor mean,
      Tensor square,
      Tensor lr,
      Tensor steps,
      AdamSpec spec,
      Tensor state);
}
