/**
 * What numbers are made of: a {@link dev.secateur.tensor.Tensor} (where, which shape, type and
 * order) is a value and owns nothing, a {@link dev.secateur.tensor.HostTensor} is a float array
 * with a shape.
 *
 * <p>Imports nothing of Secateur; everybody may import it. Begin with {@link
 * dev.secateur.tensor.Tensor}.
 */
package dev.secateur.tensor;
