package dev.secateur.prune.criterion;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Says how much each filter matters: the lower its score, the sooner it goes. */
public interface Criterion {

  /** As recipes call it. */
  String name();

  /** In words, as what a run pruned by. */
  default String title() {
    return name();
  }

  /** What its numbers are called. */
  default String measure() {
    return name() + " score";
  }

  /** Whether {@link #project} may know a plane. */
  default boolean projects() {
    return false;
  }

  /** Whether images are looked at. */
  default boolean needsData() {
    return true;
  }

  /** Whether {@link #score} takes additions too, and scores each channel of their sum. */
  default boolean scoresSums() {
    return false;
  }

  /** Whether it asks what images, or pairs, are. */
  default boolean needsLabels() {
    return false;
  }

  /**
   * Whether a network's filters can be scored, before any image is looked at.
   *
   * @param layers names of the convolutions
   * @param images that score
   * @throws dev.secateur.SecateurException when not
   */
  default void check(Graph graph, List<String> layers, Dataset images) {}

  /**
   * Scores the filters of some convolutions, comparable between them, so that one threshold serves
   * all. The network stays as it is.
   *
   * @param layers names of the convolutions
   * @param data left alone unless {@link #needsData}
   * @return by layer, one score a filter
   * @throws dev.secateur.SecateurException when the network or the data cannot be scored so
   */
  Map<String, float[]> score(Network net, List<String> layers, ScoringData data);

  /**
   * Images as points in a plane, where the criterion knows one that tells classes apart.
   *
   * @param fit images to find the plane with
   * @param shown other images, which become the points
   * @return empty when there is no such plane
   */
  default Optional<ProjectedImages> project(
      Network net, List<String> layers, ScoringData fit, ScoringData shown) {
    return Optional.empty();
  }
}
