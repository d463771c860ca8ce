/**
 * Training and evaluation: images go from a data set to a program through pinned memory that
 * threads fill ahead ({@link dev.secateur.train.BatchFeed}), the {@link dev.secateur.train.Trainer}
 * launches steps, the {@link dev.secateur.train.Evaluator} counts hits. Results do not depend on
 * the number of threads.
 *
 * <p>Imports {@code nn}, {@code data}, {@code device} and {@code tensor}. Begin with {@link
 * dev.secateur.train.Trainer}.
 */
package dev.secateur.train;
