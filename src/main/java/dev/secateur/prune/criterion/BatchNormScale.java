package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.BatchNorm;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017: the
 * absolute scale of the batch norm behind a convolution, under one threshold for all layers, as
 * there. The paper trains with an L1 penalty on these scales first.
 */
final class BatchNormScale implements Criterion {
  @Override
  public String name() {
    return "bn-scale";
  }

  @Override
  public boolean needsData() {
    return false;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String layer : layers) {
      Node norm =
          net.graph().consumers(layer).stream()
              .filter(n -> n.op() instanceof BatchNorm)
              .findFirst()
              .orElseThrow(
                  () ->
                      new SecateurException(
                          "criterion bn-scale: no batch norm behind the layer "
                              + layer
                              + "; expected that it is kept, or another criterion"));
      float[] scale = net.device().downloadFloats(net.parameter(norm.parameter("weight")));
      for (int i = 0; i < scale.length; i++) {
        scale[i] = Math.abs(scale[i]);
      }
      out.put(layer, scale);
    }
    return out;
  }
}
