package dev.secateur.pls;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.secateur.SecateurException;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.io.IOException;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** VIP against scikit-learn (scripts/make-pls-fixtures.py). */
class PlsFitTest {

  @ParameterizedTest
  @CsvSource({
    "four-classes, 1, 150", "four-classes, 2, 64", "four-classes, 3, 37",
    "ten-classes, 1, 130", "ten-classes, 2, 32", "ten-classes, 3, 65"
  })
  void vipEqualsScikitLearns(String fixture, int components, int batch) throws IOException {
    JsonNode json = read(fixture);
    for (boolean folding : new boolean[] {false, true}) {
      vipEqualsScikitLearns(json, components, batch, folding);
    }
  }

  private static void vipEqualsScikitLearns(
      JsonNode json, int components, int batch, boolean folding) {
    float[] vip = vip(json, components, batch, folding);
    double squares = 0;
    for (int j = 0; j < vip.length; j++) {
      double want = json.get("vip").get(Integer.toString(components)).get(j).asDouble();
      assertEquals(want, vip[j], 1e-4 * want + 1e-12, "feature " + j);
      squares += (double) vip[j] * vip[j];
    }
    assertEquals(1, squares / vip.length, 1e-5, "mean of VIP squared");
  }

  @ParameterizedTest
  @CsvSource({
    "four-classes, 0", "four-classes, 0.5", "four-classes, factors",
    "ten-classes, 0", "ten-classes, 0.5", "ten-classes, factors"
  })
  void vipOfOtherScalesEqualsScikitLearns(String fixture, String scale) throws IOException {
    JsonNode json = read(fixture);
    int p = json.get("features").get(0).size();
    float[] factors = new float[p];
    for (int j = 0; j < p; j++) {
      factors[j] = j % 3;
    }
    ColumnScale columns =
        scale.equals("factors")
            ? ColumnScale.UNIT.times(factors)
            : new ColumnScale(Double.parseDouble(scale));
    for (boolean folding : new boolean[] {false, true}) {
      float[] vip = fit(json, 32, folding, sums -> PlsFit.vip(sums, 2, columns));
      for (int j = 0; j < p; j++) {
        double want = json.get("scaled").get(scale).get(j).asDouble();
        assertEquals(want, vip[j], 1e-4 * want + 1e-5, "feature " + j);
      }
    }
  }

  @Test
  void tooManyComponentsAreRefused() throws IOException {
    JsonNode json = read("four-classes");
    assertThrows(SecateurException.class, () -> vip(json, 5, 50, true));
  }

  private static JsonNode read(String fixture) throws IOException {
    try (var in = PlsFitTest.class.getResourceAsStream("/pls/" + fixture + ".json")) {
      return new ObjectMapper().readTree(in);
    }
  }

  @ParameterizedTest
  @CsvSource({"four-classes, 2, 64", "four-classes, 3, 37", "ten-classes, 2, 130"})
  void scoresEqualScikitLearns(String fixture, int components, int batch) throws IOException {
    JsonNode json = read(fixture);
    Projection way =
        fit(json, batch, true, sums -> PlsFit.projection(sums, components)).orElseThrow();
    JsonNode want = json.get("scores").get(Integer.toString(components));
    int p = way.means().length;
    for (int a = 0; a < components; a++) {
      double sign = 0;
      for (int i = 0; i < want.size(); i++) {
        double t = -way.offset(a);
        for (int j = 0; j < p; j++) {
          t += way.rotations()[a * p + j] * json.get("features").get(i).get(j).asDouble();
        }
        double expected = want.get(i).get(a).asDouble();
        sign = sign == 0 ? Math.signum(t * expected) : sign;
        assertEquals(expected, sign * t, 2e-4, "component " + a + ", row " + i);
      }
    }
  }

  private static float[] vip(JsonNode json, int components, int batch, boolean folding) {
    return fit(
        json,
        batch,
        folding,
        sums -> {
          float[] vip = PlsFit.vip(sums, components);
          assertArrayEquals(
              vip, PlsFit.vip(sums, components), "fitting leaves the sums as they are");
          return vip;
        });
  }

  private static <T> T fit(
      JsonNode json, int batch, boolean folding, Function<CrossProducts, T> use) {
    JsonNode rows = json.get("features");
    int p = rows.get(0).size();
    try (Device device = new CpuDevice();
        Arena arena = device.newArena();
        CrossProducts sums =
            folding
                ? CrossProducts.folding(device, p, json.get("classes").asInt(), batch)
                : CrossProducts.keeping(device, p, json.get("classes").asInt(), batch)) {
      Tensor x = arena.floats(batch, p);
      Tensor labels = arena.allocate(Shape.of(batch), DType.I32, Layout.PLAIN);
      float[] values = new float[batch * p];
      int[] classes = new int[batch];
      for (int from = 0; from < rows.size(); from += batch) {
        int count = Math.min(batch, rows.size() - from);
        for (int i = 0; i < count; i++) {
          classes[i] = json.get("labels").get(from + i).asInt();
          for (int j = 0; j < p; j++) {
            values[i * p + j] = (float) rows.get(from + i).get(j).asDouble();
          }
        }
        device.upload(values, x);
        device.upload(classes, labels);
        sums.accumulate(x, labels, count);
      }
      return use.apply(sums);
    }
  }
}
