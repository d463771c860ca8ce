package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.ConvolutionSpec;
import dev.secateur.device.Device;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.ResizeSpec;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.io.LittleEndian;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.TransposedConvolution;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The PyTorch modules of pruned networks compute in PyTorch what the networks compute here. Needs
 * Debian's python3-torch; skipped without.
 */
class PyTorchModuleTest {
  private static final int NETWORKS = 30;

  /** Loads each module, runs it, and prints the largest difference beside the largest output. */
  private static final String CHECK =
      """
      import importlib.util, pathlib, sys
      import numpy, torch
      for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
          name, *shape = line.split()
          spec = importlib.util.spec_from_file_location(name, f"{sys.argv[2]}/{name}.py")
          module = importlib.util.module_from_spec(spec)
          spec.loader.exec_module(module)
          pixels = numpy.fromfile(f"{sys.argv[2]}/{name}.in", "<f4").reshape([int(s) for s in shape])
          with torch.no_grad():
              got = module.load()(torch.from_numpy(pixels)).flatten().numpy()
          want = numpy.fromfile(f"{sys.argv[2]}/{name}.out", "<f4")
          print(name, abs(got - want).max() / max(1e-6, abs(want).max()))
      """;

  @TempDir Path dir;

  private static boolean torch() {
    try {
      Process p =
          new ProcessBuilder("/usr/bin/python3", "-c", "import torch, numpy")
              .redirectErrorStream(true)
              .start();
      return p.waitFor(60, TimeUnit.SECONDS) && p.exitValue() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static Model pruned(Model model, SplittableRandom random) {
    try {
      Removal r = Zeroed.random(model.graph(), Scope.ALL, random).lowest(0.3);
      return r.isEmpty() ? model : Surgery.remove(model, r);
    } catch (SecateurException tooMuch) {
      return model;
    }
  }

  private static Model dilated() {
    PoolSpec wide = new PoolSpec(PoolSpec.Kind.MAX, 3, 2, 2, 1, 1, 0, 1, 1, 2, 3);
    PoolSpec bare = new PoolSpec(PoolSpec.Kind.MAX, 2, 2, 1, 1, 0, 0, 0, 0, 3, 1);
    Graph g =
        new Graph(
            List.of(
                new Node("input", new Input(3, 17, 16), List.of()),
                new Node(
                    "c", new Convolution(8, 3, 3, ConvolutionSpec.of(1, 1), true), in("input")),
                new Node("p", new Pool(wide), in("c")),
                new Node("d", new Convolution(6, 3, 3, ConvolutionSpec.of(1, 1), false), in("p")),
                new Node("q", new Pool(bare), in("d")),
                new Node("flat", new Flatten(), in("q")),
                new Node("fc", new Linear(5, true), in("flat"))));
    return RandomGraph.model(g, new SplittableRandom(3));
  }

  /** A module that is called twice. */
  private static Model shared() {
    Convolution twice = new Convolution(8, 3, 3, ConvolutionSpec.of(1, 1), true);
    BatchNorm norm = new BatchNorm(1e-5f, 0.1f);
    Graph g =
        new Graph(
            List.of(
                new Node("input", new Input(3, 9, 8), List.of()),
                new Node(
                    "c", new Convolution(8, 3, 3, ConvolutionSpec.of(1, 1), true), in("input")),
                new Node("a", twice, in("c")),
                new Node("na", norm, in("a")),
                new Node("b", twice, in("na"), "a"),
                new Node("nb", norm, in("b"), "na"),
                new Node("flat", new Flatten(), in("nb")),
                new Node("fc", new Linear(5, true), in("flat"))));
    return RandomGraph.model(g, new SplittableRandom(6));
  }

  /** A network over (N,C,L). */
  private static Model line() {
    ConvolutionSpec uneven = new ConvolutionSpec(1, 2, 0, 2, 0, 1, 1, 2, 2);
    ConvolutionSpec even = new ConvolutionSpec(1, 1, 0, 1, 0, 1, 1, 1, 1);
    ConvolutionSpec up = new ConvolutionSpec(1, 2, 0, 1, 0, 0, 1, 1, 1);
    PoolSpec max = new PoolSpec(PoolSpec.Kind.MAX, 1, 3, 1, 2, 0, 1, 0, 0, 1, 2);
    PoolSpec mean = new PoolSpec(PoolSpec.Kind.AVERAGE, 1, 2, 1, 2, 0, 1, 0, 1);
    ResizeSpec twice =
        new ResizeSpec(1, 30, ResizeSpec.Mode.BILINEAR, ResizeSpec.Coordinates.HALF_PIXEL);
    Graph g =
        new Graph(
            List.of(
                new Node("input", new Input(4, 1, 40), List.of()),
                new Node("c", new Convolution(8, 1, 5, uneven, true), in("input")),
                new Node("bn", new BatchNorm(1e-5f, 0.1f), in("c")),
                new Node("d", new Convolution(6, 1, 3, even, false), in("bn")),
                new Node("p", new Pool(max), in("d")),
                new Node("ln", new LayerNorm(1e-5f), in("p")),
                new Node("up", new TransposedConvolution(6, 1, 4, up, 0, 1, true), in("ln")),
                new Node("pad", new Pad(0, 1, 0, 2, 0.5f), in("up")),
                new Node("q", new Pool(mean), in("pad")),
                new Node("r", new Resize(twice), in("q")),
                new Node("se", new GlobalPool(PoolSpec.Kind.AVERAGE), in("r")),
                new Node(
                    "gate", new Convolution(6, 1, 1, ConvolutionSpec.of(1, 0), true), in("se")),
                new Node("mul", new Multiply(), List.of("r", "gate")),
                new Node("cut", new Shortcut(2, 1, 1), in("mul")),
                new Node("flat", new Flatten(), in("cut")),
                new Node("fc", new Linear(5, true), in("flat"))));
    Model m = RandomGraph.model(g, new SplittableRandom(4));
    return new Model(m.graph(), m.parameters(), Map.of("onnx.input.layout", "NCL"));
  }

  private static List<String> in(String name) {
    return List.of(name);
  }

  @Test
  void prunedNetworksComputeTheSameInPyTorch() throws Exception {
    Assumptions.assumeTrue(torch(), "no python3-torch: skipped");
    Map<String, Model> models = new LinkedHashMap<>();
    for (String name : List.of("resnet20", "vgg11_bn_cifar", "mobilenet_v2", "densenet121")) {
      models.put(name, Architectures.create(name, 10, 3, 32, 5));
    }
    models.put("dilated", dilated());
    models.put("line", line());
    models.put("shared", shared());
    for (int seed = 0; seed < NETWORKS; seed++) {
      models.put("random" + seed, RandomGraph.draw(seed));
    }
    List<String> lines = new ArrayList<>();
    try (Device device = new CpuDevice()) {
      for (Map.Entry<String, Model> e : models.entrySet()) {
        Model m = pruned(e.getValue(), new SplittableRandom(7));
        Models.exportPyTorch(m, dir.resolve(e.getKey() + ".py"));
        write(e.getKey() + ".out", Zeroed.logits(device, m));
        byte[] pixels = dev.secateur.io.onnx.Outputs.pixels(m, 2);
        float[] values = new float[pixels.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = pixels[i] & 255;
        }
        write(e.getKey() + ".in", values);
        String shape = m.graph().shape(m.graph().input().name()).with(0, 2).toString();
        if (m.metadata().containsKey("onnx.input.layout")) {
          shape = shape.replaceFirst("x1x", "x");
        }
        lines.add(e.getKey() + " " + shape.replace('x', ' '));
      }
    }
    Path list = Files.write(dir.resolve("list"), lines);
    Path check = Files.writeString(dir.resolve("check.py"), CHECK);
    Process p =
        new ProcessBuilder("/usr/bin/python3", check.toString(), list.toString(), dir.toString())
            .redirectErrorStream(true)
            .start();
    List<String> out = new String(p.getInputStream().readAllBytes()).lines().toList();
    assertEquals(0, p.waitFor(), String.join("\n", out));
    int compared = 0;
    for (String line : out) {
      String[] words = line.split(" ");
      if (models.containsKey(words[0])) {
        assertTrue(Double.parseDouble(words[1]) < 1e-5, line);
        compared++;
      }
    }
    assertEquals(models.size(), compared);
  }

  private void write(String name, float[] values) throws IOException {
    try (OutputStream to = Files.newOutputStream(dir.resolve(name))) {
      LittleEndian.write(values, to);
    }
  }
}
