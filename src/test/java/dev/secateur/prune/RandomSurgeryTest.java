package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.io.onnx.Outputs;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import dev.secateur.nn.op.Op;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Networks drawn at random: adds, concats, groups, gates, shuffles, flattens. Each is pruned,
 * exported, read again from the file, pruned and exported again; both times the pruned network
 * equals the zeroed one, and ONNX Runtime computes from its file what it computes here.
 */
class RandomSurgeryTest {
  private static final int NETWORKS = 300;

  @TempDir Path dir;

  @Test
  void thePrunedNetworkEqualsTheZeroedOneAndItsFile() throws IOException, OrtException {
    Set<String> ops = new TreeSet<>();
    int pruned = 0;
    int again = 0;
    try (Device device = new CpuDevice()) {
      for (int seed = 0; seed < NETWORKS; seed++) {
        Model model = RandomGraph.draw(seed);
        model.graph().nodes().forEach(n -> ops.add(n.op().getClass().getSimpleName()));
        SplittableRandom random = new SplittableRandom(seed);
        Model last = model;
        try {
          Model smaller = pruned(device, model, random);
          Model back = last = throughOnnx(device, smaller);
          Model smallest = pruned(device, back, random);
          throughOnnx(device, smallest);
          pruned += smaller == model ? 0 : 1;
          again += smallest == back ? 0 : 1;
        } catch (SecateurException | AssertionError | IllegalArgumentException e) {
          throw new AssertionError("network " + seed + ": " + describe(last), e);
        }
      }
    }
    assertTrue(pruned > NETWORKS * 3 / 4, pruned + " were pruned");
    assertTrue(again > NETWORKS / 2, again + " were pruned a second time");
    assertEquals(new HashSet<>(ops), new HashSet<>(allOps()));
  }

  /** The model itself where no filter of it can go. */
  private static Model pruned(Device device, Model model, SplittableRandom random) {
    int roundTo = random.nextInt(4) == 0 ? 2 : 1;
    Constraints c = new Constraints(roundTo, List.of(), Map.of(), Map.of());
    Selection selection = Zeroed.random(model.graph(), Scope.ALL, c, random);
    Removal removed;
    try {
      removed = selection.lowest(random.nextDouble(0.1, 0.7));
    } catch (SecateurException tooMuch) {
      assertTrue(tooMuch.getMessage().contains("can go"), tooMuch.getMessage());
      return model;
    }
    if (removed.isEmpty()) {
      return model;
    }
    Model smaller = Surgery.remove(model, removed);
    ParameterShapes.of(smaller.graph())
        .forEach((name, s) -> assertEquals(s, smaller.parameters().get(name).shape(), name));
    Zeroed.assertEqual(device, model, removed, smaller);
    return smaller;
  }

  /** What is read from the file that a model is exported to. */
  private Model throughOnnx(Device device, Model model) throws IOException, OrtException {
    Path file = dir.resolve("m.onnx");
    Models.exportOnnx(model, file);
    byte[] pixels = Outputs.pixels(model, 2);
    long[] shape = model.graph().shape(model.graph().input().name()).with(0, 2).toArray();
    float[] ours = Outputs.ours(device, model, pixels, 2);
    Zeroed.assertEqual(Outputs.onnxRuntime(file, pixels, shape, 1, ""), ours);
    return Models.importOnnx(
        file,
        OnnxOptions.DEFAULT,
        w -> {
          throw new AssertionError(w);
        });
  }

  /** All that run here. */
  private static Set<String> allOps() {
    Set<String> out = new HashSet<>();
    for (Class<?> op : Op.class.getPermittedSubclasses()) {
      out.add(op.getSimpleName());
    }
    out.remove("Opaque");
    return out;
  }

  private static String describe(Model m) {
    StringBuilder out = new StringBuilder();
    for (Node n : m.graph().nodes()) {
      out.append('\n').append(n).append(' ').append(m.graph().shape(n.name()));
    }
    return out.toString();
  }
}
