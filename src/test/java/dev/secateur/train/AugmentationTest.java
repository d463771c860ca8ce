package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.secateur.SettingException;
import dev.secateur.data.Region;
import dev.secateur.data.View;
import dev.secateur.prune.Corners;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class AugmentationTest {
  private static Augmentation boxes(double least) {
    return new Augmentation(0, true, 0, 0, 0, least);
  }

  /**
   * Areas are uniform between the least and all, ratios between 3/4 and 4/3 and even in their log.
   */
  @Test
  void boxesHaveTheAreasAndRatiosOfTorchvision() {
    SplittableRandom random = new SplittableRandom(5);
    View view = boxes(0.08).view(random);
    int n = 20_000;
    double area = 0;
    double log = 0;
    for (int i = 0; i < n; i++) {
      Region r = view.of(500, 500);
      assertTrue(r.left() >= 0 && r.left() + r.width() <= 500, r::toString);
      assertTrue(r.top() >= 0 && r.top() + r.height() <= 500, r::toString);
      double part = r.width() * (double) r.height() / 250_000;
      double ratio = r.width() / (double) r.height();
      assertTrue(part > 0.079 && part <= 1, r::toString);
      assertTrue(ratio > 0.745 && ratio < 1.345, r::toString);
      area += part / n;
      log += Math.log(ratio) / n;
    }
    // torchvision's get_params, 20,000 draws: 0.4774; large boxes fit less often
    assertEquals(0.477, area, 0.008);
    assertEquals(0, log, 0.005);
  }

  @Test
  void whereNoBoxFitsTheCentreIsTaken() {
    View view = boxes(1).view(new SplittableRandom(1));
    assertEquals(new Region(433, 0, 133, 100), view.of(1000, 100));
    assertEquals(new Region(0, 433, 100, 133), view.of(100, 1000));
  }

  @Test
  void imagesOfOneSizeAreRefused() {
    SettingException e =
        assertThrows(SettingException.class, () -> boxes(0.08).check(new Corners(8, 3, 8)));
    assertTrue(e.getMessage().contains("0.08: images of one size"), e.getMessage());
    Augmentation.NONE.check(new Corners(8, 3, 8));
  }
}
