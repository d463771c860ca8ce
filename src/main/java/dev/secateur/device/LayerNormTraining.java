package dev.secateur.device;

import dev.secateur.tensor.Tensor;

/**
 * The operands of {@link Norms#layerNormTraining}: activations (N,C,H,W) or (N,C), and vectors (C)
 * in F32.
 */
public record LayerNormTraining(
    Tensor x,
    Tensor gamma,
    Tensor beta,
    float eps,
    Tensor y,
    Tensor dy,
    Tensor dx,
    Tensor dgamma,
    Tensor dbeta) {}
