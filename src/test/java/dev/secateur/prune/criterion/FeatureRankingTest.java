package dev.secateur.prune.criterion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Criteria on features against second implementations (scripts/make-criteria-fixtures.py). */
class FeatureRankingTest {
  private static final int BATCH = 32;

  private record Samples(float[][] x, int[] labels, int classes, JsonNode expected) {}

  private static JsonNode json(String name) throws IOException {
    try (InputStream in =
        FeatureRankingTest.class.getResourceAsStream("/criteria/" + name + ".json")) {
      return Json.MAPPER.readTree(in);
    }
  }

  private static Samples samples(String name) throws IOException {
    JsonNode json = json(name);
    JsonNode rows = json.get("features");
    float[][] x = new float[rows.size()][rows.get(0).size()];
    int[] labels = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      labels[i] = json.get("labels").get(i).asInt();
      for (int j = 0; j < x[i].length; j++) {
        x[i][j] = (float) rows.get(i).get(j).asDouble();
      }
    }
    return new Samples(x, labels, json.get("classes").asInt(), json.get("expected"));
  }

  /** Streams the samples batch by batch, the last one not whole. */
  private static <T> T streamed(Samples s, boolean folding, Function<CrossProducts, T> use) {
    int p = s.x()[0].length;
    try (Device device = new CpuDevice();
        Arena arena = device.newArena();
        CrossProducts sums =
            folding
                ? CrossProducts.folding(device, p, s.classes(), BATCH)
                : CrossProducts.keeping(device, p, s.classes(), BATCH)) {
      Tensor x = arena.floats(BATCH, p);
      Tensor labels = arena.allocate(Shape.of(BATCH), DType.I32, Layout.PLAIN);
      for (int from = 0; from < s.x().length; from += BATCH) {
        int rows = Math.min(BATCH, s.x().length - from);
        float[] values = new float[BATCH * p];
        for (int i = 0; i < rows; i++) {
          System.arraycopy(s.x()[from + i], 0, values, i * p, p);
        }
        device.upload(values, x);
        device.upload(
            Arrays.copyOf(Arrays.copyOfRange(s.labels(), from, from + rows), BATCH), labels);
        sums.accumulate(x, labels, rows);
      }
      return use.apply(sums);
    }
  }

  private static void near(JsonNode expected, float[] got, String what) {
    assertEquals(expected.size(), got.length, what);
    double largest = 0;
    for (JsonNode e : expected) {
      largest = Math.max(largest, Math.abs(e.asDouble()));
    }
    for (int j = 0; j < got.length; j++) {
      double e = expected.get(j).asDouble();
      assertEquals(e, got[j], 1e-4 * Math.abs(e) + 1e-5 * largest, what + ", feature " + j);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"four-classes", "two-classes", "seven-classes"})
  void streamedRankingsEqualSecondImplementations(String name) throws IOException {
    Samples s = samples(name);
    for (boolean folding : new boolean[] {false, true}) {
      near(s.expected().get("fisher"), streamed(s, folding, Fisher::scores), "fisher");
      near(s.expected().get("inffs"), streamed(s, folding, InfiniteSelection::scores), "inffs");
      near(s.expected().get("cca"), streamed(s, folding, Cca::scores), "cca");
      near(s.expected().get("lasso"), streamed(s, folding, Lasso::scores), "lasso");
      near(
          s.expected().get("lasso of few"),
          streamed(s, folding, x -> Lasso.scores(x, 0.3)),
          "lasso of few");
      if (s.expected().has("cca without ridge")) {
        near(
            s.expected().get("cca without ridge"),
            streamed(s, folding, x -> Cca.scores(x, 0)),
            "cca without ridge");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"four-classes", "two-classes", "seven-classes"})
  void reliefEqualsASecondImplementation(String name) throws IOException {
    Samples s = samples(name);
    near(s.expected().get("relief"), Relief.scores(s.x(), s.labels(), s.classes()), "relief");
  }

  @ParameterizedTest
  @ValueSource(strings = {"four-classes", "two-classes", "seven-classes"})
  void latentSelectionEqualsExpectationMaximisation(String name) throws IOException {
    Samples s = samples(name);
    var tokens = new InfiniteLatentSelection.TokenCounts(streamed(s, true, Moments::of));
    for (int i = 0; i < s.x().length; i++) {
      tokens.add(s.x()[i], new int[] {s.labels()[i]});
    }
    near(s.expected().get("ilfs"), tokens.scores(), "ilfs");
  }

  @Test
  void ranksEqualPyTorchs() throws IOException {
    for (JsonNode c : json("ranks")) {
      float[] values = new float[c.get("values").size() + 3];
      for (int i = 3; i < values.length; i++) {
        values[i] = (float) c.get("values").get(i - 3).asDouble();
      }
      MatrixRank rank = new MatrixRank(c.get("rows").asInt(), c.get("columns").asInt());
      String what = c.get("kind").asText() + " " + c.get("rows") + " x " + c.get("columns");
      assertEquals(c.get("rank").asInt(), rank.of(values, 3), what);
      assertEquals(c.get("rank").asInt(), rank.of(values, 3), what + ", again");
    }
  }
}
