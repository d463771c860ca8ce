/**
 * Choosing filters and removing them: what the product is about. {@link dev.secateur.prune.Recipe}
 * says how, {@link dev.secateur.prune.Pruner} does it: score, select, remove, evaluate, fine-tune,
 * evaluate. The way of a filter: {@link dev.secateur.prune.DependencyGraph} finds channels that are
 * coupled, {@link dev.secateur.prune.ChannelGroups} those of them that may go, a {@link
 * dev.secateur.prune.Selection} ranks them by the importance that a criterion gave, a {@link
 * dev.secateur.prune.Removal} names what goes, and {@link dev.secateur.prune.Surgery} cuts the
 * tensors, on the device or in a file.
 *
 * <p>May import criterion, train, io, nn, data, device, tensor and util; never run, experiment,
 * report or cli. Begin with {@code Pruner.step}.
 */
package dev.secateur.prune;
