package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.prune.criterion.Importance;

/** Chooses which filters go, by their importance. */
@FunctionalInterface
public interface Selector {
  /**
   * Says before the first batch what could only be found out after many.
   *
   * @param original the network that the first iteration begins with
   * @throws dev.secateur.SecateurException where what the selector aims at is out of reach
   */
  default void checkPossible(Graph original) {}

  /**
   * @param original the network that the first iteration began with
   * @param net as it is now
   * @param groups what may go of it
   * @throws dev.secateur.SecateurException when nothing can be chosen
   */
  Removal select(Graph original, Network net, ChannelGroups groups, Importance importance);
}
