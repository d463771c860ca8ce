package dev.secateur.device;

import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/**
 * Where a parameter lies among the copies of {@link MixedPrecision}.
 *
 * @param of the parameter, a view of the flat vector
 * @param at element of the copies' vector where it begins, a multiple of 16
 * @param shape of the copy: no axis is shorter than the parameter's; what is more is zero. One of
 *     rank 4 (K,C,R,S) lies in the order K, R, S, C
 */
public record ParameterCopy(Tensor of, long at, Shape shape) {}
