package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Network;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019, first order: the
 * squared change of the loss when a weight becomes zero, (g w)², summed over the filter's weights
 * (the sum of individual contributions) and averaged over batches. Comparable between layers, as
 * there.
 *
 * <p>Not the square of the sum (the group contribution): behind a convolution with batch norm in
 * training mode the loss does not depend on a filter's length, so Σ g w is zero.
 *
 * <p>Gradients are those of training, with batch statistics, on a copy of the network, whose
 * running statistics may change. Sums stay on the device. Whole batches only.
 */
final class Taylor implements Criterion {
  @Override
  public String name() {
    return "taylor";
  }

  @Override
  public boolean needsLabels() {
    return true;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    if (data.images().paired()) {
      throw new SecateurException(
              "criterion taylor: needs a loss over classes, which pairs of images do not have")
          .about("scoring.criterion");
    }
    int batch = Math.min(data.batch(), data.size());
    Enough.rows(name(), "image", data.size(), 2);
    if (batch < 2) {
      throw new SecateurException(
          "criterion taylor: batches of 1 image; its batch norm needs at least 2 at once");
    }
    Device device = net.device();
    try (Network copy = new Network(device, net.toModel());
        TrainingProgram program =
            TrainingProgram.compile(copy, batch, Learning.sgd(0, false, 0, false, 0), 0);
        Arena arena = device.newArena()) {
      Map<String, Tensor> sums = new LinkedHashMap<>();
      List<Kernel> kernels = new ArrayList<>();
      for (String layer : layers) {
        String name = copy.graph().node(layer).parameter("weight");
        Tensor weight = copy.parameter(name);
        Tensor gradient = program.gradient(name);
        int filters = weight.shape().size(0);
        Tensor sum = arena.doubles(filters, 1);
        sums.put(layer, sum);
        kernels.addAll(squares(device, arena, weight, gradient, sum));
      }
      int batches = 0;
      int whole = data.size() / batch * batch;
      try (BatchFeed feed = new BatchFeed(device, data.images(), program.input(), whole)) {
        data.progress().start("score", feed.images());
        while (feed.next() > 0) {
          program.backpropagate();
          kernels.forEach(Kernel::launch);
          batches++;
          data.progress().step(feed.done(), Map.of());
        }
      }
      Enough.rows(name(), "image", (long) batches * batch, 2);
      Map<String, float[]> out = new LinkedHashMap<>();
      for (Map.Entry<String, Tensor> e : sums.entrySet()) {
        double[] mean = device.downloadDoubles(e.getValue());
        for (int i = 0; i < mean.length; i++) {
          mean[i] /= batches;
        }
        out.put(e.getKey(), Host.floats(mean));
      }
      data.progress().finish();
      return Enough.scores(name(), out);
    }
  }

  /** sum[k] += Σ over the filter's weights of (g w)². */
  private static List<Kernel> squares(
      Device device, Arena arena, Tensor weight, Tensor gradient, Tensor sum) {
    Shape rows = Shape.of(weight.shape().dim(0), weight.elements() / weight.shape().dim(0));
    Tensor w = arena.allocate(weight.shape(), DType.F64, Layout.PLAIN);
    Tensor g = arena.allocate(weight.shape(), DType.F64, Layout.PLAIN);
    Tensor ones = arena.doubles(rows.dim(1), 1);
    device.moves().copy(weight, w).launch();
    device.moves().fill(ones, 1).launch();
    return List.of(
        device.moves().copy(gradient, g),
        device.pls().multiply(g, w, g),
        device.pls().multiply(g, g, g),
        device.matrices().gemm(false, false, 1, g.reshape(rows), ones, 1, sum));
  }
}
