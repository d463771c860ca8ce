/**
 * The operations of networks, each a file: see {@link dev.secateur.nn.op.Op}. A program hands an
 * operation its {@link dev.secateur.nn.op.Operands} and takes kernels; pruning asks it how channels
 * go through it ({@link dev.secateur.nn.op.ChannelFlow}) and what is left of it.
 *
 * <p>Imports {@code device} and {@code tensor}.
 */
package dev.secateur.nn.op;
