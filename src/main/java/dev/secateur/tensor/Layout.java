package dev.secateur.tensor;

/** Order of a tensor's elements in memory. The {@link Shape} is always the logical N, C, H, W. */
public enum Layout {
  /** Row-major in the order of the shape: NCHW activations, OIHW weights, matrices, vectors. */
  PLAIN,
  /** Four-dimensional: activations stored as N, H, W, C, convolution weights as K, R, S, C. */
  CHANNELS_LAST
}
