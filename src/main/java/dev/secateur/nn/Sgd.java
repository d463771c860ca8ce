package dev.secateur.nn;

/**
 * How a network learns: SGD as PyTorch defines it, on softmax cross-entropy.
 *
 * @param momentum 0 for none
 * @param nesterov look ahead along the momentum
 * @param weightDecay added to every trainable parameter's gradient, times the parameter
 * @param labelSmoothing part of the target spread evenly over all classes
 */
public record Sgd(float momentum, boolean nesterov, float weightDecay, float labelSmoothing) {}
