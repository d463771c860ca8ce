package dev.secateur.run;

import dev.secateur.prune.criterion.ProjectedImages;
import java.util.List;

/**
 * {@code projection.json} of a run: held-out images in the plane of the criterion's first two
 * components, which were fitted to training images of the same network.
 *
 * @param classNames by label
 * @param before by the network as it came
 * @param after by the run's result
 */
public record Projections(List<String> classNames, ProjectedImages before, ProjectedImages after) {}
