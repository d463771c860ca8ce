package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.ParameterShapes;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Surgery on networks drawn at random: adds, concats, groups, gates, shuffles, flattens. */
class RandomSurgeryTest {
  private static final int NETWORKS = 300;

  @Test
  void thePrunedNetworkEqualsTheZeroedOne() {
    Set<String> ops = new TreeSet<>();
    int pruned = 0;
    try (Device device = new CpuDevice()) {
      for (int seed = 0; seed < NETWORKS; seed++) {
        Model model = RandomGraph.draw(seed);
        model.graph().nodes().forEach(n -> ops.add(n.op().getClass().getSimpleName()));
        SplittableRandom random = new SplittableRandom(seed);
        int roundTo = random.nextInt(4) == 0 ? 2 : 1;
        Constraints c = new Constraints(roundTo, List.of(), List.of(), List.of());
        try {
          Map<String, int[]> removed =
              Zeroed.random(model.graph(), Scope.ALL, c, random)
                  .lowest(random.nextDouble(0.1, 0.7));
          Model smaller = Surgery.remove(device, model, removed);
          ParameterShapes.of(smaller.graph())
              .forEach((name, s) -> assertEquals(s, smaller.parameters().get(name).shape(), name));
          Zeroed.assertEqual(device, model, removed, smaller);
          pruned += removed.isEmpty() ? 0 : 1;
        } catch (SecateurException tooMuch) {
          assertTrue(tooMuch.getMessage().contains("can go"), tooMuch.getMessage());
        } catch (AssertionError | IllegalArgumentException e) {
          throw new AssertionError("network " + seed + ": " + describe(model), e);
        }
      }
    }
    assertTrue(pruned > NETWORKS * 3 / 4, pruned + " were pruned");
    assertEquals(new HashSet<>(ops), new HashSet<>(allOps()));
  }

  private static Set<String> allOps() {
    Set<String> out = new HashSet<>();
    for (Class<?> op : dev.secateur.nn.Op.class.getPermittedSubclasses()) {
      out.add(op.getSimpleName());
    }
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
