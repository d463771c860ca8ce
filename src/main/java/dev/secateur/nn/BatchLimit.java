package dev.secateur.nn;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.tensor.Shape;

/** How many images a device takes at once. */
final class BatchLimit {
  private BatchLimit() {}

  /**
   * @throws SecateurException naming the largest batch that works, where some layer of a batch has
   *     more elements than the device takes
   */
  static void require(Graph graph, Widths widths, int batch, Device device) {
    long most = device.mostElements();
    long largest =
        graph.nodes().stream()
            .map(n -> widths.shape(n.name()))
            .filter(s -> s.rank() == 4)
            .mapToLong(Shape::elements)
            .max()
            .orElse(1);
    if (batch > most / largest) {
      throw new SecateurException(
              "a batch of "
                  + batch
                  + " images has more than "
                  + most
                  + " elements in a layer, which "
                  + device.name()
                  + " does not take; the largest batch that works is "
                  + most / largest)
          .about("scoring.batch-size");
    }
  }
}
