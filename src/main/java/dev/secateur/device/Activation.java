package dev.secateur.device;

/** Pointwise activations that can be fused into other operations. */
public enum Activation {
  NONE,
  RELU,
  RELU6
}
