package dev.secateur.prune.criterion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.device.Device;
import dev.secateur.device.cpu.CpuDevice;
import dev.secateur.device.cuda.TestCuda;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Scope;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Verification;
import dev.secateur.util.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs of images on a whole network: against scikit-learn, on both devices. */
class PairsTest {

  /** As scripts/make-criteria-fixtures.py draws them. */
  private record Pairs(int size, int width) implements Dataset {
    @Override
    public int channels() {
      return 3;
    }

    @Override
    public int height() {
      return width;
    }

    @Override
    public List<String> classNames() {
      return List.of("different", "same");
    }

    @Override
    public Labels labels() {
      return Labels.PAIRS;
    }

    @Override
    public int label(int index) {
      return index / 2 * 5 % 12 < 7 ? 1 : 0;
    }

    @Override
    public boolean read(int index, ByteBuffer dst, int offset) {
      return new CriteriaTest.Blocks(size, width).read(index, dst, offset);
    }
  }

  private static Device open(String device) {
    return device.equals("cpu") ? new CpuDevice() : TestCuda.open();
  }

  private static JsonNode expected() throws IOException {
    try (InputStream in = PairsTest.class.getResourceAsStream("/criteria/pairs.json")) {
      return Json.MAPPER.readTree(in);
    }
  }

  private static Importance score(Recipe recipe, Network net, int width, int batch) {
    List<String> layers = ChannelGroups.of(net.graph(), Scope.PAPER).layers();
    ScoringData data =
        new ScoringData(
            new Pairs(24, width), 25, batch, recipe.scoring().pooling(), ProgressListener.none());
    return Importance.of(recipe.criterion(), net, layers, data);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void scoresOfPairsEqualScikitLearns(String device) throws IOException {
    Recipe recipe =
        Recipe.DEFAULT
            .with("scoring.components", 2)
            .with("scoring.columns", "prunable")
            .with("scoring.scale", "unit")
            .with("scoring.weighting", "none")
            .with("scoring.pool", "avg")
            .with("scoring.features", "activation");
    JsonNode all = expected();
    try (Device opened = open(device);
        Network net = new Network(opened, CriteriaTest.woven(32))) {
      same(all.get("vip"), score(recipe, net, 32, 10));
      same(all.get("fisher"), score(recipe.with("scoring.criterion", "fisher"), net, 32, 10));
    }
  }

  private static void same(JsonNode expected, Importance got) {
    assertEquals(expected.size(), got.byFilter().size());
    got.byFilter()
        .forEach(
            (layer, of) -> {
              assertEquals(expected.get(layer).size(), of.length, layer);
              for (int i = 0; i < of.length; i++) {
                double want = expected.get(layer).get(i).asDouble();
                assertEquals(want, of[i], 2e-3 * want + 1e-4, layer + ", filter " + i);
              }
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void verificationEqualsScikitLearns(String device) throws IOException {
    JsonNode all = expected();
    Dataset pairs = new Pairs(24, 32);
    try (Device opened = open(device);
        Network net = new Network(opened, CriteriaTest.woven(32))) {
      for (Verification.Distance d : Verification.Distance.values()) {
        Verification v = Verification.of(net, pairs, 10, d, ProgressListener.none());
        boolean cosine = d == Verification.Distance.COSINE;
        JsonNode want = all.get(cosine ? "cosine" : "euclidean");
        assertEquals(12, v.pairs());
        assertEquals(want.get("auc").asDouble(), v.auc(), 1e-9, d + " AUC");
        assertEquals(want.get("accuracy").asDouble(), v.accuracy(), 1e-9, d + " accuracy");
        double threshold = want.get("threshold").asDouble();
        assertEquals(cosine ? threshold : -threshold, v.threshold(), 1e-5, d + " threshold");
      }
      Evaluation e = Evaluator.evaluate(net, pairs, 10, ProgressListener.none());
      assertEquals(1 - all.get("cosine").get("auc").asDouble(), e.loss(), 1e-9);
      assertEquals(all.get("cosine").get("accuracy").asDouble(), e.top1(), 1e-9);
      assertEquals(24, e.images());
    }
  }

  @Test
  void pairsThatDoNotSufficeAreCountedAsSuch() {
    try (Device device = new CpuDevice();
        Network net = new Network(device, CriteriaTest.woven(16))) {
      List<String> layers = ChannelGroups.of(net.graph(), Scope.PAPER).layers();
      for (int images : new int[] {3, 4}) {
        ScoringData few =
            new ScoringData(new Pairs(24, 16), images, 8, Pooling.MAX, ProgressListener.none());
        SecateurException e =
            assertThrows(
                SecateurException.class,
                () -> Importance.of(Recipe.DEFAULT.criterion(), net, layers, few));
        String message =
            images == 3
                ? "criterion pls-vip: 1 pair to score on; it needs at least 2"
                : "criterion pls-vip: the pairs to score on (2) are of one class; it needs at least"
                    + " 2 classes";
        assertEquals(message, e.getMessage());
      }
    }
  }

  static List<String> names() {
    return Criteria.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyCriterionRanksByPairsOrRefuses(String name) {
    Recipe recipe = Recipe.DEFAULT.with("scoring.criterion", name);
    try (Device device = new CpuDevice();
        Network net = new Network(device, CriteriaTest.woven(16))) {
      if (name.equals("taylor")) {
        SecateurException e =
            assertThrows(SecateurException.class, () -> score(recipe, net, 16, 10));
        assertEquals(
            "criterion taylor: needs a loss over classes, which pairs of images do not have",
            e.getMessage());
        return;
      }
      Importance got = score(recipe, net, 16, 10);
      assertTrue(
          got.byFilter().values().stream().anyMatch(of -> of[0] != of[1]), "different scores");
      SecateurException e = assertThrows(SecateurException.class, () -> score(recipe, net, 16, 9));
      assertTrue(e.getMessage().contains("9: would part a pair"), e.getMessage());
    }
  }
}
