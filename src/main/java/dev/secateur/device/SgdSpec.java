package dev.secateur.device;

/**
 * SGD as PyTorch defines it, see {@link Training#sgd}.
 *
 * @param momentum 0 for none
 * @param nesterov look ahead along the momentum
 * @param weightDecay added to the gradient, times the parameter
 * @param decayed so many elements decay, the first
 */
public record SgdSpec(float momentum, boolean nesterov, float weightDecay, long decayed) {}
