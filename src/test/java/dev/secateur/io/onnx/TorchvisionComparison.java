package dev.secateur.io.onnx;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.GroupReduction;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.Zeroed;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.tensor.HostTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Networks in a folder of ONNX files: each is imported, compared with ONNX Runtime, pruned with
 * --scope all by the L1 norm of its filters (divided by the layer's mean), exported, and compared
 * again, and with the whole network whose removed filters are zero. Prints a Markdown table; one
 * that fails stands there with its reason. See scripts/compare-torchvision.
 */
final class TorchvisionComparison {
  private static final double RATE = 0.3;
  private static final Set<String> WITH_FILTERS = Set.of("Convolution", "TransposedConvolution");

  private TorchvisionComparison() {}

  /** Arguments: the folder; names of networks, or none for all. */
  public static void main(String[] args) throws IOException {
    Path folder = Path.of(args[0]);
    List<String> only = List.of(args).subList(1, args.length);
    List<Path> files;
    try (Stream<Path> all = Files.list(folder)) {
      files = all.filter(f -> f.toString().endsWith(".onnx")).sorted().toList();
    }
    System.out.println(
        "| network | input | nodes | parameters | MACs | difference | groups | largest"
            + " | parameters after | MACs after | difference after | zeroed |");
    System.out.println("|" + " --- |".repeat(12));
    for (Path file : files) {
      String name = file.getFileName().toString().replace(".onnx", "");
      if (only.isEmpty() || only.contains(name)) {
        System.out.println("| " + name + " | " + row(file) + " |");
      }
    }
  }

  private static String row(Path file) throws IOException {
    StringBuilder row = new StringBuilder();
    Path exported = Files.createTempFile("pruned", ".onnx");
    try {
      Model model = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
      long[] shape = model.graph().shape("input").toArray();
      byte[] pixels = Outputs.pixels(model, 1);
      Cost before = Cost.of(model.graph());
      row.append(shape[2]).append('x').append(shape[3]).append(" | ");
      row.append(model.graph().nodes().size()).append(" | ").append(cost(before));
      float[] theirs = Outputs.onnxRuntime(file, pixels, shape, 255, "");
      float[] ours = Outputs.withHead(model, Outputs.ours(model, pixels, 1));
      row.append(text(" | %.1e", Outputs.difference(ours, theirs)));

      ChannelGroups units = ChannelGroups.of(model.graph(), Scope.ALL);
      int largest = units.coupledLayers().stream().mapToInt(g -> g.layers().size()).max().orElse(0);
      row.append(" | ").append(units.coupledLayers().size());
      row.append(" | ").append(largest).append(largest == 1 ? " layer" : " layers");
      Model smaller;
      Removal removed;
      try (Device device = new CpuDevice()) {
        Selection s =
            new Selection(
                units,
                units.importance(magnitudes(model), GroupReduction.MEAN),
                Constraints.NONE,
                model.graph());
        removed = s.lowest(RATE);
        smaller = Surgery.remove(model, removed);
      }
      Cost after = Cost.of(smaller.graph());
      row.append(" | ").append(change(after.parameters(), before.parameters()));
      row.append(" | ").append(change(after.macs(), before.macs()));
      Models.exportOnnx(smaller, exported);
      float[] again = Outputs.onnxRuntime(exported, pixels, shape, 255, "");
      ours = Outputs.withHead(smaller, Outputs.ours(smaller, pixels, 1));
      row.append(text(" | %.1e", Outputs.difference(ours, again)));
      Model zeroed = Zeroed.model(model, removed);
      float[] whole = Outputs.withHead(zeroed, Outputs.ours(zeroed, pixels, 1));
      row.append(text(" | %.1e", Outputs.difference(ours, whole)));
    } catch (SecateurException | IllegalArgumentException | IllegalStateException e) {
      row.append(" | fails: ").append(e.getMessage());
    } catch (ai.onnxruntime.OrtException | AssertionError e) {
      row.append(" | fails in ONNX Runtime: ").append(e.getMessage().replaceAll("\\s+", " "));
    } finally {
      Files.deleteIfExists(exported);
    }
    return row.toString();
  }

  static Importance magnitudes(Model model) {
    Map<String, float[]> out = new HashMap<>();
    for (Node n : model.graph().nodes()) {
      if (!WITH_FILTERS.contains(n.op().getClass().getSimpleName())
          && !(n.op() instanceof Linear)) {
        continue;
      }
      HostTensor w = model.parameters().get(n.parameter("weight"));
      float[] norm = new float[model.graph().shape(n.name()).size(1)];
      boolean byInput = n.op() instanceof TransposedConvolution;
      int each = w.data().length / (int) w.shape().dim(0);
      int window = byInput ? each / (int) w.shape().dim(1) : each;
      for (int i = 0; i < w.data().length; i++) {
        int filter = byInput ? i / window % norm.length : i / each;
        norm[filter] += Math.abs(w.data()[i]);
      }
      float sum = 0; // layers are made comparable: each has a mean of 1
      for (float v : norm) {
        sum += v;
      }
      for (int i = 0; i < norm.length; i++) {
        norm[i] *= norm.length / sum;
      }
      out.put(n.name(), norm);
    }
    return new Importance("magnitude", out);
  }

  private static String cost(Cost c) {
    return text("%.2f M | %.0f M", c.parameters() / 1e6, c.macs() / 1e6);
  }

  private static String change(long after, long before) {
    return text("%.2f M (-%.1f %%)", after / 1e6, 100.0 * (before - after) / before);
  }

  private static String text(String format, Object... args) {
    return String.format(Locale.ROOT, format, args);
  }
}
