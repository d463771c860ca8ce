package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** What is drawn for batches has the distributions that the papers name. */
class MixPlanTest {
  private static final int BATCH = 8;
  private static final int SIZE = 32;
  private static final int DRAWS = 4000;

  private final IntBuffer labels = IntBuffer.wrap(new int[] {0, 1, 2, 3, 4, 5, -1, -1});
  private final IntBuffer integers = IntBuffer.allocate(10 * BATCH);
  private final FloatBuffer floats = FloatBuffer.allocate(2 * BATCH);

  private void draw(Augmentation how, long seed) {
    new MixPlan(how, SIZE, SIZE, new SplittableRandom(seed))
        .draw(labels, 6, BATCH, integers, floats);
  }

  private int[] box(int image, int from) {
    int[] out = new int[4];
    integers.get(BATCH + 9 * image + from, out);
    return out;
  }

  private static double area(int[] box) {
    return (double) (box[2] - box[0]) * (box[3] - box[1]) / (SIZE * SIZE);
  }

  /** Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)). */
  @Test
  void mixupsRatiosAreOfBeta() {
    for (double alpha : new double[] {0.2, 1, 3}) {
      double sum = 0;
      double squares = 0;
      for (int i = 0; i < DRAWS; i++) {
        draw(new Augmentation(0, false, alpha, 0, 0, 0), i);
        double share = floats.get(0);
        assertTrue(share >= 0 && share <= 1);
        assertEquals(share, floats.get(BATCH), "images as labels");
        assertEquals(share, floats.get(5), "one ratio a batch");
        sum += share;
        squares += (share - 0.5) * (share - 0.5);
      }
      assertEquals(0.5, sum / DRAWS, 0.03, "alpha " + alpha);
      assertEquals(1 / (4 * (2 * alpha + 1)), squares / DRAWS, 0.01, "alpha " + alpha);
    }
  }

  @Test
  void partnersAreTheNextRowsThatCount() {
    draw(new Augmentation(0, false, 1, 0, 0, 0), 1);
    for (int i = 0; i < 6; i++) {
      assertEquals((i + 1) % 6, integers.get(BATCH + 9 * i));
      assertEquals((i + 1) % 6, integers.get(i), "its label");
    }
    assertEquals(1, floats.get(6), "a row that does not count stays");
    assertEquals(1, floats.get(BATCH + 7));
  }

  @Test
  void cutmixsLabelsHaveThePartOfTheBox() {
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
      draw(new Augmentation(0, false, 0, 1, 0, 0), i);
      int[] box = box(3, 1);
      assertTrue(box[0] >= 0 && box[1] >= 0 && box[2] <= SIZE && box[3] <= SIZE);
      assertEquals(1 - area(box), floats.get(3), 1e-6);
      assertEquals(1, floats.get(BATCH + 3), "nothing is blended outside of it");
      sum += area(box);
    }
    assertTrue(
        sum / DRAWS > 0.25 && sum / DRAWS < 0.5, "clipped boxes of mean 1/2: " + sum / DRAWS);
  }

  @Test
  void aSetOfImagesIsErasedInTheRangesOfTorchvision() {
    int erased = 0;
    for (int i = 0; i < DRAWS; i++) {
      draw(new Augmentation(0, false, 0, 0, 0.25, 0), i);
      int[] box = box(2, 5);
      if (box[2] == 0) {
        continue;
      }
      erased++;
      double ratio = (double) (box[2] - box[0]) / (box[3] - box[1]);
      assertTrue(area(box) > 0.012 && area(box) < 0.36, "area " + area(box)); // whole pixels
      assertTrue(ratio > 0.22 && ratio < 4.5, "ratio " + ratio);
      assertTrue(box[2] <= SIZE && box[3] <= SIZE);
    }
    assertEquals(0.25, (double) erased / DRAWS, 0.03);
  }

  @Test
  void withBothOneIsDrawnForABatch() {
    TreeSet<Boolean> kinds = new TreeSet<>();
    for (int i = 0; i < 20; i++) {
      draw(new Augmentation(0, false, 1, 1, 0, 0), i);
      kinds.add(floats.get(BATCH) == 1);
      int[] once = integers.array().clone();
      draw(new Augmentation(0, false, 1, 1, 0, 0), i);
      assertEquals(IntBuffer.wrap(once), IntBuffer.wrap(integers.array().clone()), "by the seed");
    }
    assertEquals(2, kinds.size());
  }
}
