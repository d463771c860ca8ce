package dev.secateur.device;

/**
 * A function of one number, applied to every element by itself; what can be fused into any
 * operation is an {@link Activation}.
 *
 * @param alpha see {@link Kind}; 0 where unused
 * @param beta see {@link Kind}; 0 where unused
 */
public record ElementwiseSpec(Kind kind, float alpha, float beta) {

  /** Which function. */
  public enum Kind {
    /** x above 0, else alpha x. */
    LEAKY_RELU,
    /** x above 0, else alpha (exp(x) - 1). */
    ELU,
    /** min(max(x, alpha), beta). */
    CLIP,
    /** 1 / (1 + exp(-x)). */
    SIGMOID,
    /** min(max(alpha x + beta, 0), 1). */
    HARD_SIGMOID,
    /** x min(max(x / 6 + 1/2, 0), 1). */
    HARD_SWISH,
    /** x sigmoid(x), also called swish. */
    SILU,
    /** x Φ(x) by the error function, not its approximation by tanh. */
    GELU,
    TANH,
    /** log(1 + exp(x)). */
    SOFTPLUS,
    /** x tanh(log(1 + exp(x))). */
    MISH,
    /** x to the power of alpha; of x above 0. */
    POWER
  }

  /** A function without constants. */
  public static ElementwiseSpec of(Kind kind) {
    return new ElementwiseSpec(kind, 0, 0);
  }
}
