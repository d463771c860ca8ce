package dev.secateur.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

/** Thresholds and areas; whole networks are in PairsTest. */
class VerificationTest {
  private static Verification of(double[] nearness, boolean... same) {
    return Verification.of(Verification.Distance.COSINE, nearness, same, 1);
  }

  @Test
  void tiesCountHalfAsInScikitLearn() throws IOException {
    JsonNode ties;
    try (InputStream in = getClass().getResourceAsStream("/criteria/pairs.json")) {
      ties = Json.MAPPER.readTree(in).get("ties");
    }
    double[] nearness = new double[ties.get("nearness").size()];
    boolean[] same = new boolean[nearness.length];
    for (int i = 0; i < same.length; i++) {
      nearness[i] = ties.get("nearness").get(i).asDouble();
      same[i] = ties.get("same").get(i).asInt() == 1;
    }
    Verification v = of(nearness, same);
    assertEquals(ties.get("auc").asDouble(), v.auc(), 1e-12);
    assertEquals(ties.get("accuracy").asDouble(), v.accuracy(), 1e-12);
    assertEquals(ties.get("threshold").asDouble(), v.threshold());
    assertEquals(60, v.pairs());
  }

  @Test
  void aThresholdMayTakeAllPairsForDifferent() {
    Verification v = of(new double[] {0.5, 0.9, 0.7}, true, false, false);
    assertEquals(0, v.auc());
    assertEquals(200 / 3.0, v.accuracy(), 1e-9);
    assertTrue(v.threshold() > 0.9 && v.threshold() < 0.9001);
    Verification far =
        Verification.of(
            Verification.Distance.EUCLIDEAN, new double[] {-2, -3}, new boolean[] {true, false}, 1);
    assertEquals(2, far.threshold(), "a distance");
    assertEquals(1, far.auc());
    assertEquals(100, far.accuracy());
  }

  @Test
  void pairsOfOneKindAndNumbersThatAreNoneAreRefused() {
    String message =
        assertThrows(SecateurException.class, () -> of(new double[2], true, true)).getMessage();
    assertEquals(
        "2 pairs, 2 of them the same; expected pairs that are the same and pairs that differ",
        message);
    assertTrue(
        assertThrows(SecateurException.class, () -> of(new double[] {Double.NaN, 1}, true, false))
            .getMessage()
            .contains("not a finite number"));
  }
}
