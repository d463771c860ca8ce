package dev.secateur.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Training images in two disjoint parts, so that decisions are taken on images that training does
 * not see and that are not the test set.
 *
 * @param train what is left for training and scoring
 * @param held the part of each class that is held out
 */
public record HoldOut(Dataset train, Dataset held) {

  /**
   * Stratified by class, determined by the seed. The images of a pair stay together.
   *
   * @param fraction of each class to hold out, rounded down but at least one image of a class that
   *     has two; 0 < fraction < 1
   */
  public static HoldOut of(Dataset all, double fraction, long seed) {
    List<List<Integer>> byClass = new ArrayList<>();
    int each = all.paired() ? 2 : 1;
    for (int i = 0; i < all.size(); i += each) {
      while (byClass.size() <= all.label(i)) {
        byClass.add(new ArrayList<>());
      }
      byClass.get(all.label(i)).add(i);
    }
    List<Integer> train = new ArrayList<>();
    List<Integer> held = new ArrayList<>();
    Random random = new Random(seed);
    for (List<Integer> of : byClass) {
      Collections.shuffle(of, random);
      int n = Math.max(of.size() > 1 ? 1 : 0, (int) (fraction * of.size()));
      held.addAll(of.subList(0, n));
      train.addAll(of.subList(n, of.size()));
    }
    // mixed, because users of a part may take its first images only
    Collections.shuffle(train, random);
    Collections.shuffle(held, random);
    return new HoldOut(new Subset(all, array(train, each)), new Subset(all, array(held, each)));
  }

  /** So many images from each of the list on. */
  private static int[] array(List<Integer> list, int each) {
    return list.stream().flatMapToInt(i -> IntStream.range(i, i + each)).toArray();
  }
}
