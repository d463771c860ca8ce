package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.secateur.device.Device;
import dev.secateur.io.onnx.Outputs;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Border;
import dev.secateur.nn.op.Concat;
import dev.secateur.nn.op.Elementwise;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.GlobalPool;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.PRelu;
import dev.secateur.nn.op.Pad;
import dev.secateur.nn.op.PixelShuffle;
import dev.secateur.nn.op.Pool;
import dev.secateur.nn.op.Resize;
import dev.secateur.nn.op.SelectChannels;
import dev.secateur.nn.op.Shortcut;
import dev.secateur.nn.op.TransposedConvolution;
import dev.secateur.nn.op.Unflatten;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.tensor.HostTensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;

/**
 * What surgery has to agree with: the whole network with the removed filters set to zero. Which
 * norms have to be zero with them is found by following zeros forward from the filters, without the
 * coupling that is under test.
 */
public final class Zeroed {
  private Zeroed() {}

  /** A selection by random scores. */
  static Selection random(Graph graph, Scope scope, SplittableRandom random) {
    return random(graph, scope, Constraints.NONE, random);
  }

  static Selection random(
      Graph graph, Scope scope, Constraints constraints, SplittableRandom random) {
    ChannelGroups units = ChannelGroups.of(graph, scope, constraints::keeps);
    Map<String, float[]> scores = new LinkedHashMap<>();
    for (String c : units.layers()) {
      float[] s = new float[graph.shape(c).size(1)];
      for (int i = 0; i < s.length; i++) {
        s[i] = random.nextFloat();
      }
      scores.put(c, s);
    }
    return new Selection(
        units,
        units.importance(new Importance("", scores), GroupReduction.MEAN),
        constraints,
        graph);
  }

  /** Biases and running means that are not zero. */
  static Model shifted(Model m) {
    SplittableRandom random = new SplittableRandom(8);
    return changed(
        m,
        (name, d) -> {
          if (name.endsWith(".bias") || name.endsWith("running_mean")) {
            for (int i = 0; i < d.length; i++) {
              d[i] = (float) random.nextDouble(-0.3, 0.3);
            }
          }
        });
  }

  /** To 1e-4 of the largest logit. */
  static void assertEqual(Device device, Model model, Removal removed, Model pruned) {
    assertEqual(logits(device, model(model, removed)), logits(device, pruned));
  }

  static void assertEqual(float[] want, float[] got) {
    assertEquals(want.length, got.length);
    float largest = 1;
    for (float w : want) {
      largest = Math.max(largest, Math.abs(w));
    }
    for (int i = 0; i < want.length; i++) {
      assertEquals(want[i], got[i], 1e-4 * largest, "logit " + i);
    }
  }

  /** The network with filters set to zero, and the norms that read them. */
  public static Model model(Model m, Removal removed) {
    Map<String, boolean[]> zero = new HashMap<>();
    for (Node n : m.graph().nodes()) {
      zero.put(n.name(), zeros(m.graph(), n, removed, zero));
    }
    return changed(
        m,
        (name, d) -> {
          int dot = name.lastIndexOf('.');
          String owner = name.substring(0, dot);
          Node n =
              m.graph().nodes().stream().filter(k -> k.owner().equals(owner)).findFirst().get();
          boolean filter =
              m.graph().sharing(n).stream().anyMatch(k -> removed.of(k.name()).length > 0);
          if (!filter && !(n.op() instanceof BatchNorm || n.op() instanceof GroupNorm)
              || name.contains(".running")) {
            return;
          }
          boolean[] dead = zero.get(n.name());
          if (n.op() instanceof TransposedConvolution t && name.endsWith(".weight")) {
            zeroSecondAxis(d, dead, m.parameters().get(name), t.spec().groups());
            return;
          }
          int each = d.length / dead.length;
          for (int c = 0; c < dead.length; c++) {
            if (dead[c]) {
              Arrays.fill(d, c * each, (c + 1) * each, 0);
            }
          }
        });
  }

  /** Transposed weights are (C, K/groups, R, S): output k of group g is [of group g, k]. */
  private static void zeroSecondAxis(float[] d, boolean[] dead, HostTensor t, int groups) {
    int inputs = t.shape().size(0);
    int outputs = t.shape().size(1);
    int each = d.length / inputs / outputs;
    for (int c = 0; c < inputs; c++) {
      int group = c / (inputs / groups);
      for (int k = 0; k < outputs; k++) {
        if (dead[group * outputs + k]) {
          int at = (c * outputs + k) * each;
          Arrays.fill(d, at, at + each, 0);
        }
      }
    }
  }

  /** Which channels of a node's output are zero once the filters are. */
  private static boolean[] zeros(
      Graph graph, Node n, Removal removed, Map<String, boolean[]> zero) {
    boolean[] y = new boolean[graph.shape(n.name()).size(1)];
    boolean[] x = n.inputs().isEmpty() ? y : zero.get(n.inputs().get(0));
    if (n.op().mixesChannels()) {
      for (Node same : graph.sharing(n)) {
        for (int f : removed.of(same.name())) {
          y[f] = true;
        }
      }
    } else if (n.op() instanceof Add || n.op() instanceof Multiply) {
      boolean[] other = zero.get(n.inputs().get(1));
      for (int c = 0; c < y.length; c++) {
        y[c] = n.op() instanceof Add ? x[c] && other[c] : x[c] || other[c];
      }
    } else if (n.op() instanceof Concat) {
      int at = 0;
      for (String part : n.inputs()) {
        boolean[] p = zero.get(part);
        System.arraycopy(p, 0, y, at, p.length);
        at += p.length;
      }
    } else if (n.op() instanceof SelectChannels s) {
      for (int j = 0; j < y.length; j++) {
        y[j] = x[s.channels().get(j)];
      }
    } else if (n.op() instanceof Shortcut s) {
      Arrays.fill(y, true);
      System.arraycopy(x, 0, y, s.before(), x.length);
    } else if (n.op() instanceof Flatten) {
      for (int j = 0; j < y.length; j++) {
        y[j] = x[j / (y.length / x.length)];
      }
    } else if (n.op() instanceof Unflatten) {
      Arrays.fill(y, true);
      for (int j = 0; j < x.length; j++) {
        y[j / (x.length / y.length)] &= x[j];
      }
    } else if (n.op() instanceof PixelShuffle p) {
      int each = p.factor() * p.factor();
      for (int j = 0; j < Math.max(x.length, y.length); j++) {
        if (p.up() && j % each == 0) {
          y[j / each] = true;
        }
        if (p.up()) {
          y[j / each] &= x[j];
        } else {
          y[j] = x[j / each];
        }
      }
    } else if (n.op() instanceof Elementwise e) {
      return switch (e.spec().kind()) {
        case SIGMOID, HARD_SIGMOID -> y;
        default -> x;
      };
    } else if (n.op() instanceof BatchNorm
        || n.op() instanceof Activate
        || n.op() instanceof PRelu
        || n.op() instanceof GroupNorm
        || n.op() instanceof Pool
        || n.op() instanceof GlobalPool
        || n.op() instanceof Resize
        || n.op() instanceof Identity
        || n.op() instanceof Border
        || n.op() instanceof Pad p && p.value() == 0) {
      return x;
    }
    return y;
  }

  static Model changed(Model m, BiConsumer<String, float[]> change) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    m.parameters()
        .forEach(
            (name, t) -> {
              float[] d = t.data().clone();
              change.accept(name, d);
              out.put(name, new HostTensor(t.shape(), d));
            });
    return new Model(m.graph(), out, m.metadata());
  }

  /** Of two images of noise. */
  static float[] logits(Device device, Model model) {
    return Outputs.ours(device, model, Outputs.pixels(model, 2), 2);
  }
}
