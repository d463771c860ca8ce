package dev.secateur.prune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.nn.Model;
import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What was removed is found again by weights alone. */
class SurgeryProofTest {
  private static final int NETWORKS = 100;

  @Test
  void removedFiltersAreFound() {
    int found = 0;
    try (Device device = new CpuDevice()) {
      for (int seed = 0; seed < NETWORKS; seed++) {
        Model model = RandomGraph.draw(seed);
        SplittableRandom random = new SplittableRandom(seed);
        Removal removed;
        try {
          removed =
              Zeroed.random(model.graph(), Scope.ALL, random).lowest(random.nextDouble(0.1, 0.6));
        } catch (SecateurException tooMuch) {
          continue;
        }
        if (removed.isEmpty()) {
          continue;
        }
        Model smaller = Surgery.remove(model, removed);
        Removal again = SurgeryProof.removed(model, smaller);
        assertEquals(removed.filters().keySet(), again.filters().keySet(), "network " + seed);
        removed
            .filters()
            .forEach((layer, f) -> assertArrayEquals(f, again.filters().get(layer), layer));
        Zeroed.assertEqual(
            Zeroed.logits(device, SurgeryProof.zeroed(model, again)),
            Zeroed.logits(device, smaller));
        found++;
      }
    }
    assertTrue(found > NETWORKS * 2 / 3, found + " were pruned");
  }

  @Test
  void whatHasLearntSinceIsNoPart() {
    Model model = RandomGraph.draw(3);
    Removal removed = Zeroed.random(model.graph(), Scope.ALL, new SplittableRandom(1)).lowest(0.3);
    Model smaller = Surgery.remove(model, removed);
    List<String> names = new ArrayList<>(smaller.parameters().keySet());
    names.removeIf(n -> n.startsWith("input."));
    for (String name : names) {
      Map<String, HostTensor> other = new LinkedHashMap<>(smaller.parameters());
      float[] data = other.get(name).data().clone();
      data[data.length / 2] += 1;
      other.put(name, new HostTensor(other.get(name).shape(), data));
      Model changed = new Model(smaller.graph(), other, smaller.metadata());
      assertThrows(SecateurException.class, () -> SurgeryProof.removed(model, changed), name);
    }
    assertThrows(SecateurException.class, () -> SurgeryProof.removed(RandomGraph.draw(4), smaller));
  }
}
