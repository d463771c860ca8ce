package dev.secateur.run;

import dev.secateur.prune.Removal;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.train.Evaluation;

/**
 * What an iteration has removed, kept while it is fine-tuned.
 *
 * @param importance of the filters before the removal
 * @param removal dead filters among them
 * @param dead filters that the network could do without
 * @param evaluation right after the removal
 */
record CutRecord(Importance importance, Removal removal, Removal dead, Evaluation evaluation) {}
