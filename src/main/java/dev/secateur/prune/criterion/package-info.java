/**
 * What says how much each filter matters. A {@link dev.secateur.prune.criterion.Criterion} scores
 * the filters of some convolutions, comparable between them; {@link
 * dev.secateur.prune.criterion.Criteria} knows all by name, {@link
 * dev.secateur.prune.criterion.Importance} is the result. Most are a function: of a layer's weights
 * (WeightCriterion), or of cross-products of pooled features and classes that Features streams
 * through the network (FeatureCriterion). Each begins with its paper, the formula, and where it
 * departs from it. Enough says when images do not suffice to rank anything.
 *
 * <p>Imports {@code pls}, {@code train}, {@code nn}, {@code data}, {@code device} and {@code
 * tensor}, and EJML for small matrices on the host. Begin with Fisher and FeatureCriterion; a new
 * criterion is a class, a line in Criteria, and a second implementation in
 * scripts/make-criteria-fixtures.py.
 */
package dev.secateur.prune.criterion;
