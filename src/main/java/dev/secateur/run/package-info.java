/**
 * A pruning run on disk: the directory that {@code secateur prune} writes, resumes and reports on.
 * {@link dev.secateur.run.PruneRun} repeats {@link dev.secateur.prune.Pruner#step} into it, {@link
 * dev.secateur.run.SavedRun} reads it again, {@link dev.secateur.run.RunRecord} is run.json, also
 * of earlier versions. The files are described in src/site/formats.md.
 *
 * <p>May import prune, bench and what these may. Begin with {@code PruneRun.prune}.
 */
package dev.secateur.run;
