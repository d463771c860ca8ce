package dev.secateur.nn;

/**
 * How a network learns: SGD as PyTorch defines it, on softmax cross-entropy.
 *
 * @param momentum 0 for none
 * @param nesterov look ahead along the momentum
 * @param weightDecay added to the gradients of convolutions' and linear layers' weights, times the
 *     weight
 * @param decayNorms the parameters of norms and all biases decay too, as where PyTorch is given all
 *     parameters in one group
 * @param labelSmoothing part of the target spread evenly over all classes
 */
public record Sgd(
    float momentum,
    boolean nesterov,
    float weightDecay,
    boolean decayNorms,
    float labelSmoothing) {}
