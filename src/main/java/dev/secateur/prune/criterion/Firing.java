package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.nn.op.Activate;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which filters ever have an output other than zero behind their activation. */
public final class Firing {
  private static final Pooling LARGEST = new Pooling(PoolSpec.Kind.MAX, Pooling.Place.ACTIVATION);

  private Firing() {}

  /** Those of some convolutions whose output goes through a ReLU or ReLU6, for {@link #of}. */
  public static List<String> rectified(Graph graph, Collection<String> convolutions) {
    return convolutions.stream()
        .filter(
            c -> {
              String place = LARGEST.hook(graph, List.of(c)).nodes().get(0);
              return graph.node(place).op() instanceof Activate;
            })
        .toList();
  }

  /**
   * Looks at the largest output of each filter in each image; one pass, gathered on the device.
   *
   * @param layers of {@link #rectified}
   * @return by layer, whether a filter is above 0 anywhere in any image
   */
  public static Map<String, boolean[]> of(Network net, List<String> layers, ScoringData data) {
    if (layers.isEmpty()) {
      return Map.of(); // no image could say more
    }
    Device device = net.device();
    int features = Features.count(net.graph(), layers);
    ScoringData largest =
        new ScoringData(data.images(), data.samples(), data.batch(), LARGEST, data.progress());
    Map<String, boolean[]> out = new LinkedHashMap<>();
    try (Arena arena = device.newArena()) {
      Tensor zero = arena.floats(features);
      Tensor same = arena.floats(data.batch(), features);
      Tensor sums = arena.doubles(data.classes(net.graph()), features);
      Tensor counts = arena.doubles(data.classes(net.graph()));
      Tensor squares = arena.doubles(features);
      Map<Integer, Kernel> byRows = new HashMap<>();
      Features.images(
          "dead filters",
          net,
          layers,
          largest,
          (x, y, known, rows) ->
              byRows
                  .computeIfAbsent(
                      rows,
                      r -> {
                        Shape part = Shape.of(r, features);
                        return device
                            .pls()
                            .accumulateFeatures(
                                x.view(0, part),
                                y.view(0, Shape.of(r)),
                                zero,
                                same.view(0, part),
                                sums,
                                counts,
                                squares);
                      })
                  .launch());
      double[] fired = device.downloadDoubles(squares);
      int at = 0;
      for (String layer : layers) {
        boolean[] own = new boolean[net.graph().shape(layer).size(1)];
        for (int f = 0; f < own.length; f++) {
          own[f] = fired[at++] > 0;
        }
        out.put(layer, own);
      }
    }
    return out;
  }
}
