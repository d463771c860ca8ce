package dev.secateur.prune.criterion;

import dev.secateur.device.Device;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/**
 * A criterion that looks at a convolution's weights only. Its papers rank the filters of a layer
 * among themselves; for one threshold over all layers each score can be divided by its layer's
 * mean, as Torch-Pruning does by default.
 *
 * @param ranking the layer's scores from its weights (K,C/g,R,S)
 * @param normalised over the layer's mean
 */
record WeightCriterion(
    String name, BiFunction<Device, Tensor, double[]> ranking, boolean normalised)
    implements Criterion {
  @Override
  public boolean needsData() {
    return false;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String layer : layers) {
      Tensor weight = net.parameter(net.graph().node(layer).parameter("weight"));
      double[] scores = ranking.apply(net.device(), weight);
      out.put(layer, normalised ? overMean(scores) : Host.floats(scores));
    }
    return out;
  }

  /** Scores divided by their mean; zeros where all are zero. */
  static float[] overMean(double[] scores) {
    double sum = 0;
    for (double s : scores) {
      sum += s;
    }
    float[] out = new float[scores.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = sum == 0 ? 0 : (float) (scores[i] * out.length / sum);
    }
    return out;
  }
}
