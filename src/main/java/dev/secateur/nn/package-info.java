/**
 * Networks: what they are ({@link dev.secateur.nn.Graph} of {@link dev.secateur.nn.op.Op}s, {@link
 * dev.secateur.nn.Model} with parameters in Java memory, {@link dev.secateur.nn.Network} with them
 * on a device) and what they are compiled to, a flat list of kernels: {@link
 * dev.secateur.nn.InferenceProgram} and {@link dev.secateur.nn.TrainingProgram}. {@link
 * dev.secateur.nn.Architectures} has the named ones. A network is cut on its device, momentum
 * included: {@link dev.secateur.nn.Network#cut}.
 *
 * <p>Imports {@code device} and {@code tensor}. Begin with {@link dev.secateur.nn.op.Op} and {@link
 * dev.secateur.nn.InferenceProgram}. The tests pin every launch of every architecture
 * (GoldenPlansTest).
 */
package dev.secateur.nn;
