package dev.secateur.device;

import java.util.Optional;

/**
 * A convolution in training. The three may share what they have read in another type: {@code
 * weights} runs behind {@code forward} of the same x, {@code data} behind {@code weights} of the
 * same dy, with no convolution in between.
 *
 * @param weights writes dw
 * @param data writes dx
 */
public record ConvolutionKernels(Kernel forward, Kernel weights, Optional<Kernel> data) {}
