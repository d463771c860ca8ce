package dev.secateur.device;

/**
 * AdamW (Loshchilov and Hutter 2019) as PyTorch defines it, see {@link Training#adamW}.
 *
 * @param beta1 of the mean of gradients
 * @param beta2 of the mean of their squares
 * @param eps added to the root
 * @param weightDecay times the rate, what parameters lose of themselves in a step
 * @param decayed so many elements decay, the first
 */
public record AdamSpec(float beta1, float beta2, float eps, float weightDecay, long decayed) {}
