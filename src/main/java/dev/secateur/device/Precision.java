package dev.secateur.device;

import java.util.Locale;

/** In what type a device keeps activations and multiplies; parameters are always kept in F32. */
public enum Precision {
  /** Single precision throughout. */
  FP32,
  /** Single precision, whose factors tensor cores may round to 10 bits of fraction (TF32). */
  TF32,
  /** Activations and the weights' copies in half precision; training scales the loss. */
  FP16,
  /**
   * Activations and the weights' copies in bfloat16; on the CPU the factors of convolutions only.
   */
  BF16;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
