package dev.secateur.pls;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.ForwardHook;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Convolution;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Not a test: writes a network's features, labels, VIP and the time that PLS took, for
 * scripts/compare-pls to hold against scikit-learn. Arguments: model, data, images, batch, output.
 */
final class PlsComparison {
  private PlsComparison() {}

  public static void main(String[] args) throws IOException {
    Model model = Models.load(Path.of(args[0]));
    Dataset data = DataSets.open(args[1], Split.TRAIN);
    int n = Integer.parseInt(args[2]);
    int batch = Integer.parseInt(args[3]);
    List<String> layers =
        model.graph().nodes().stream()
            .filter(x -> x.op() instanceof Convolution)
            .map(Node::name)
            .toList();
    ForwardHook hook = new ForwardHook(layers, PoolSpec.Kind.MAX);
    try (Device device = new CpuDevice();
        Network net = new Network(device, model);
        InferenceProgram program = InferenceProgram.compile(net, batch, Optional.of(hook));
        Arena arena = device.newArena();
        DataOutputStream out =
            new DataOutputStream(
                new BufferedOutputStream(Files.newOutputStream(Path.of(args[4]))))) {
      int p = program.features().shape().size(1);
      Tensor all = arena.floats(n, p);
      Tensor allLabels = arena.allocate(Shape.of(n), DType.I32, Layout.PLAIN);
      int[] host = new int[n];
      try (BatchFeed feed = new BatchFeed(device, data, program.input(), n)) {
        for (int done = 0, rows = feed.next(); rows > 0; done += rows, rows = feed.next()) {
          program.run();
          Shape part = Shape.of(rows, p);
          device
              .moves()
              .copy(program.features().view(0, part), all.view((long) done * p, part))
              .launch();
          for (int i = 0; i < rows; i++) {
            host[done + i] = data.label(done + i);
          }
        }
      }
      device.upload(host, allLabels);
      float[] vip = {};
      double best = Double.MAX_VALUE;
      double sum = 0;
      long bytes = 0;
      int rounds = 20;
      for (int round = -10; round < rounds; round++) {
        long start = System.nanoTime();
        try (CrossProducts sums = CrossProducts.of(device, p, data.classNames().size(), batch, n)) {
          for (int from = 0; from < n; from += batch) {
            int rows = Math.min(batch, n - from);
            sums.accumulate(
                all.view((long) from * p, Shape.of(rows, p)),
                allLabels.view(from, Shape.of(rows)),
                rows);
          }
          vip = PlsFit.vip(sums, 2);
          bytes = sums.bytes();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        if (round >= 0) { // the earlier ones warm up
          best = Math.min(best, seconds);
          sum += seconds;
        }
      }
      System.err.printf("bytes held by the sums: %d%n", bytes);
      out.writeInt(n);
      out.writeInt(p);
      out.writeDouble(sum / rounds);
      out.writeDouble(best);
      for (float f : device.downloadFloats(all)) {
        out.writeFloat(f);
      }
      for (int l : host) {
        out.writeInt(l);
      }
      for (float v : vip) {
        out.writeFloat(v);
      }
    }
  }
}
