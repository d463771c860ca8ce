package dev.secateur.device;

import dev.secateur.tensor.Tensor;
import java.util.Optional;

/**
 * The operands of {@link Convolutions#training}: activations x, y and their gradients dx, dy,
 * filters w and their gradient dw, shaped as {@link Convolutions} says.
 *
 * @param bias (K), or empty; its gradient is {@link Reductions#biasBackward}'s
 * @param dx empty where no gradient by x is wanted
 */
public record ConvolutionTraining(
    ConvolutionSpec spec,
    Tensor x,
    Tensor w,
    Optional<Tensor> bias,
    Tensor y,
    Tensor dy,
    Tensor dw,
    Optional<Tensor> dx) {}
