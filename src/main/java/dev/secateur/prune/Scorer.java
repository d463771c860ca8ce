package dev.secateur.prune;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.FeatureTap;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.PlsFit;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Scores filters by PLS and VIP; features never leave the device. */
public final class Scorer {
  private Scorer() {}

  /**
   * @param layers convolutions to score, such as {@link Units#layers}
   * @param data training images; the first {@code samples} are used
   * @param kind how a channel becomes one number
   */
  public static Scores score(
      Network net,
      List<String> layers,
      Dataset data,
      int components,
      PoolSpec.Kind kind,
      int samples,
      int batch,
      ProgressListener progress) {
    Device device = net.device();
    if (layers.isEmpty()) {
      throw new SecateurException("the network has no convolution that can be pruned");
    }
    Evaluator.checkFits(net, data);
    FeatureTap tap = new FeatureTap(layers, kind);
    int classes = net.graph().shape(net.graph().output().name()).size(1);
    try (InferenceProgram program = InferenceProgram.compile(net, batch, Optional.of(tap));
        Arena arena = device.newArena();
        CrossProducts sums =
            CrossProducts.of(
                device,
                program.features().shape().size(1),
                classes,
                batch,
                Math.min(samples, data.size()))) {
      Tensor labels = arena.allocate(Shape.of(batch), DType.I32, Layout.PLAIN);
      try (BatchFeed feed = new BatchFeed(device, data, program.pixels(), labels, samples)) {
        progress.start("score", feed.images());
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          program.run();
          sums.accumulate(program.features(), labels, rows);
          progress.step(feed.done(), Map.of());
        }
      }
      float[] vip = PlsFit.vip(sums, components);
      progress.finish();
      Map<String, float[]> out = new LinkedHashMap<>();
      int at = 0;
      for (String layer : layers) {
        int width = net.graph().shape(layer).size(1);
        out.put(layer, Arrays.copyOfRange(vip, at, at + width));
        at += width;
      }
      return new Scores(out);
    }
  }
}
