package dev.secateur.prune.criterion;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Uniform numbers, the baseline that every criterion must beat. A filter's depends on the seed, its
 * layer's name, its place in the layer and how many filters there are in all, so that each
 * iteration of a run draws anew and the order of layers does not matter.
 */
record RandomScores(long seed) implements Criterion {
  @Override
  public String name() {
    return "random";
  }

  @Override
  public boolean needsData() {
    return false;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    return draw(net.graph(), layers);
  }

  Map<String, float[]> draw(Graph graph, List<String> layers) {
    int filters = Features.count(graph, layers);
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String layer : layers) {
      long own = new SplittableRandom(seed).nextLong();
      SplittableRandom random =
          new SplittableRandom(own ^ ((long) layer.hashCode() << 32 | filters));
      float[] scores = new float[graph.shape(layer).size(1)];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = (float) random.nextDouble();
      }
      out.put(layer, scores);
    }
    return out;
  }
}
