package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Devices;
import dev.secateur.nn.BatchInput;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BatchFeedTest {

  /** Ten images of two pixels, of which some cannot be read. */
  private record Numbers(Set<Integer> unreadable, int classes, boolean paired) implements Dataset {
    @Override
    public int size() {
      return 10;
    }

    @Override
    public int channels() {
      return 1;
    }

    @Override
    public int height() {
      return 1;
    }

    @Override
    public int width() {
      return 2;
    }

    @Override
    public List<String> classNames() {
      return Collections.nCopies(classes, "number");
    }

    @Override
    public int label(int index) {
      return 10 + index;
    }

    @Override
    public boolean read(int index, ByteBuffer dst, int offset) {
      if (unreadable.contains(index)) {
        return false;
      }
      dst.put(offset, (byte) index).put(offset + 1, (byte) (100 + index));
      return true;
    }
  }

  private static List<String> batches(Set<Integer> unreadable) {
    return batches(unreadable, false);
  }

  private static List<String> batches(Set<Integer> unreadable, boolean paired) {
    List<String> out = new ArrayList<>();
    try (Device device = Devices.open("cpu");
        Arena arena = device.newArena()) {
      BatchInput input = BatchInput.of(Shape.of(4, 1, 1, 2), false, false, arena);
      Tensor pixels = input.pixels();
      Tensor floats = arena.allocate(pixels.shape(), DType.F32, Layout.PLAIN);
      try (BatchFeed feed =
          new BatchFeed(device, new Numbers(unreadable, 20, paired), input, Integer.MAX_VALUE)) {
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          device.moves().copy(pixels, floats).launch();
          float[] p = device.downloadFloats(floats);
          int[] images = new int[rows];
          for (int i = 0; i < rows; i++) {
            images[i] = (int) p[2 * i];
            assertEquals(100 + images[i], p[2 * i + 1]);
          }
          out.add(Arrays.toString(images) + " " + Arrays.toString(numbers(device, input.labels())));
        }
        assertEquals(10, feed.done());
      }
    }
    return out;
  }

  @Test
  void aLabelBeyondTheClassesNeverReachesTheDevice() {
    try (Device device = Devices.open("cpu");
        Arena arena = device.newArena()) {
      BatchInput input = BatchInput.of(Shape.of(4, 1, 1, 2), false, false, arena);
      try (BatchFeed feed = new BatchFeed(device, new Numbers(Set.of(5), 16, false), input, 10)) {
        assertEquals(4, feed.next());
        SecateurException e = assertThrows(SecateurException.class, feed::next);
        assertEquals(
            "image 6 has label 16; expected 0 to 15, as there are classes", e.getMessage());
      }
    }
  }

  /** The labels, -1 where there is none. */
  private static int[] numbers(Device device, Tensor labels) {
    int[] out = {-1, -1, -1, -1};
    try (Arena arena = device.newArena()) {
      Tensor rows = arena.floats(4, 4);
      device.upload(new float[] {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, rows);
      Tensor sums = arena.doubles(20, 4); // row i counts in column i of its label's row
      Tensor counts = arena.doubles(20);
      Tensor same = arena.floats(4, 4);
      device
          .pls()
          .accumulateFeatures(rows, labels, arena.floats(4), same, sums, counts, arena.doubles(4))
          .launch();
      float[] ones = device.downloadFloats(sums);
      for (int i = 0; i < ones.length; i++) {
        if (ones[i] != 0) {
          out[i % 4] = i / 4;
        }
      }
    }
    return out;
  }

  @Test
  void pairsAreReadOrLeftOutTogether() {
    assertEquals(
        List.of("[2, 3] [12, 13, -1, -1]", "[6, 7] [16, 17, -1, -1]", "[8, 9] [18, 19, -1, -1]"),
        batches(Set.of(1, 4), true));
    assertEquals(List.of("[8, 9] [18, 19, -1, -1]"), batches(Set.of(0, 2, 3, 5, 6), true));
    SecateurException e =
        assertThrows(
            SecateurException.class, () -> BatchFeed.checkBatch(new Numbers(Set.of(), 2, true), 5));
    assertTrue(e.getMessage().contains("5: would part a pair"), e.getMessage());
  }

  @Test
  void imagesThatCannotBeReadHaveNoRow() {
    assertEquals(
        List.of(
            "[0, 1, 2, 3] [10, 11, 12, 13]",
            "[4, 5, 6, 7] [14, 15, 16, 17]",
            "[8, 9] [18, 19, -1, -1]"),
        batches(Set.of()));
    assertEquals(
        List.of("[2, 1] [12, 11, -1, -1]", "[8] [18, -1, -1, -1]"),
        batches(Set.of(0, 3, 4, 5, 6, 7, 9)),
        "nor a batch where none can");
  }
}
