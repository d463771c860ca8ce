package dev.secateur.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.data.Corners;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExperimentCommandTest {
  private static final String TUNED =
      """
      criteria: [pls-vip, l1, random]
      pruning-ratios: [0.1, 0.3]
      seeds: [1, 2]
      scoring: {samples: 100, batch-size: 50}
      fine-tuning: {epochs: 1, samples: 64, lr: 0.02, batch-size: 32}
      """;

  @TempDir Path dir;

  @BeforeEach
  void makeDataAndModel() throws IOException {
    Corners.write(dir, 200, 100);
    Models.save(Architectures.create("resnet8", 4, 1, 16, 1), dir.resolve("m.sct"));
  }

  private Path plan(String text) throws IOException {
    String where = "model: " + dir.resolve("m.sct") + "\ndata: idx:" + dir + "\n";
    return Files.writeString(dir.resolve("plan.yaml"), where + text);
  }

  private Cli.Result run(String plan, String out, String... more) throws IOException {
    List<Object> words =
        new ArrayList<>(
            List.of("experiment", plan(plan), "-o", dir.resolve(out), "--device", "cpu", "-q"));
    words.addAll(List.of(more));
    return Cli.run(words.toArray());
  }

  private JsonNode cell(String out, String name) throws IOException {
    return Json.MAPPER.readTree(dir.resolve(out + "/cells/" + name + ".json").toFile());
  }

  @Test
  void everyCellOfTheGridIsThereAndTheTablesHoldThem() throws IOException {
    Cli.Result r = run(TUNED, "out", "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode json = Json.MAPPER.readTree(r.out());
    assertEquals(12, json.get("cells").asInt());
    assertEquals(0, json.get("missing").asInt());
    assertEquals(6, json.get("rows").size());
    for (JsonNode row : json.get("rows")) {
      assertEquals(2, row.get("after").get("seeds").asInt());
      double asked = 100 * row.get("ratio").asDouble();
      double gone = row.get("filters").get("mean").asDouble();
      // dead filters go besides
      assertTrue(gone <= asked + 5 && gone > asked - 100.0 / 112, "of 112 filters " + gone + " %");
    }
    List<String> csv = Files.readAllLines(dir.resolve("out/results.csv"));
    assertEquals(13, csv.size());
    String md = Files.readString(dir.resolve("out/results.md"));
    assertTrue(md.contains("before fine-tuning") && md.contains("after fine-tuning"), md);
    assertTrue(md.contains("| random | 0.3 | 2 |"), md);
    // the mean of a row is the mean of its cells
    double mean =
        (cell("out", "l1-ratio0.3-seed1").at("/steps/0/after").asDouble()
                + cell("out", "l1-ratio0.3-seed2").at("/steps/0/after").asDouble())
            / 2;
    JsonNode row =
        Stream.iterate(0, i -> i + 1)
            .limit(6)
            .map(i -> json.get("rows").get(i))
            .filter(n -> n.get("criterion").asText().equals("l1"))
            .filter(n -> n.get("ratio").asDouble() == 0.3)
            .findFirst()
            .orElseThrow();
    assertEquals(mean, row.at("/after/mean").asDouble(), 1e-9);
  }

  @Test
  void theSeedMattersAndTheSameSeedGivesTheSame() throws IOException {
    run(TUNED, "one");
    run(TUNED, "two");
    for (String c : List.of("pls-vip", "l1", "random")) {
      assertEquals(cell("one", c + "-ratio0.1-seed1"), cell("two", c + "-ratio0.1-seed1"), c);
    }
    assertFalse(
        cell("one", "random-ratio0.3-seed1")
            .at("/steps/0/removed")
            .equals(cell("one", "random-ratio0.3-seed2").at("/steps/0/removed")));
  }

  /** The cell of a variant at a ratio of 0.1, whose name has a checksum of its recipe. */
  private String variant(String out, String name) {
    String[] cells = dir.resolve(out).resolve("cells").toFile().list();
    return Stream.of(cells)
        .filter(c -> c.startsWith(name + "-") && c.endsWith("-ratio0.1-seed1.json"))
        .map(c -> c.replace(".json", ""))
        .findFirst()
        .orElseThrow();
  }

  /** Each cell trains for itself; with growing regularisation the first scores still choose. */
  @Test
  void cellsAreTrainedSparseFirst() throws IOException {
    String plan =
        """
        criteria: [l1]
        variants:
          growing: {scoring: {criterion: l1}, sparse-training: {kind: growing, epochs: 1}}
          group: {scoring: {criterion: l1}, sparse-training: {kind: group-lasso, epochs: 1}}
        pruning-ratios: [0.1]
        seeds: [1]
        scoring: {batch-size: 50}
        fine-tuning: {epochs: 0, samples: 64, lr: 0.05, batch-size: 32}
        """;
    Cli.Result r = run(plan, "sparse");
    assertEquals(0, r.code(), r.err());
    JsonNode plain = cell("sparse", "l1-ratio0.1-seed1").at("/steps/0");
    JsonNode growing = cell("sparse", variant("sparse", "growing")).at("/steps/0");
    assertEquals(plain.get("removed"), growing.get("removed"));
    assertFalse(plain.get("before").equals(growing.get("before")), "it has learned");
    JsonNode group = cell("sparse", variant("sparse", "group")).at("/steps/0");
    assertEquals(plain.get("removed").size(), group.get("removed").size());
    JsonNode settings = Json.MAPPER.readTree(dir.resolve("sparse/experiment.json").toFile());
    assertTrue(settings.at("/recipe/sparse-training").isMissingNode(), "as before there was one");
  }

  private static final String FAIR =
      """
      criteria: [l1]
      variants:
        paper: {recipe: paper, scoring: {samples: 100}}
        one-component: {scoring: {components: 1}}
      macs-removed: [0.3]
      seeds: [1]
      control: true
      evaluation: held-out
      scoring: {samples: 100, batch-size: 50}
      fine-tuning: {epochs: 1, samples: 64, lr: 0.02, batch-size: 32}
      """;

  @Test
  void recipesAreComparedAtEqualMacsBesideAnUnprunedControl() throws IOException {
    Cli.Result r = run(FAIR, "fair", "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode rows = Json.MAPPER.readTree(r.out()).get("rows");
    assertEquals(4, rows.size());
    for (JsonNode row : rows) {
      double gone = row.get("macs").get("mean").asDouble();
      boolean control = row.get("criterion").asText().equals("unpruned");
      assertTrue(control ? gone == 0 : gone >= 30 && gone < 36, row.toString());
    }
    String text = Files.readString(dir.resolve("fair/results.md"));
    assertTrue(text.contains("with MACs removed"), text);
    assertTrue(text.contains("of the held-out images"), text);
    // another recipe of the same name is another cell
    Cli.Result more = run(FAIR.replace("components: 1", "components: 3"), "fair", "--json");
    assertEquals(0, more.code(), more.err());
    try (Stream<Path> cells = Files.list(dir.resolve("fair/cells"))) {
      List<String> names = cells.map(p -> p.getFileName().toString()).toList();
      long own = names.stream().filter(n -> n.startsWith("one-component-")).count();
      assertEquals(2, own, names.toString());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "macs-removed: [0.3] | macs-removed: [1.3] | macs-removed 1.3: expected numbers between",
        "control: true | control: some | control \"some\": expected true or false",
        "evaluation: held-out | evaluation: train | evaluation train: expected test or held-out",
        "one-component: | l2: | variants l2: expected a name",
        "{components: 1} | {component: 1} | variants.one-component.scoring.component is no setting",
        "components: 1}} | components: 1}, stop: {macs: 0.5}} | variants.one-component.stop.macs has"
      })
  void whatAFairPlanCannotSayIsTold(String instead, String of, String message) throws IOException {
    Cli.Result r = run(FAIR.replace(instead, of), "bad");
    assertEquals(1, r.code(), r.err());
    assertTrue(r.err().contains(message), r.err());
    assertEquals(1, r.err().lines().count(), r.err());
  }

  @Test
  void aCellIsWhatPruneDoes() throws IOException {
    // all images both times, so that scores do not depend on which are drawn
    run(
        "criteria: [fisher]\npruning-ratios: [0.2]\nscoring: {batch-size: 50, samples: 200}\n",
        "out");
    Cli.Result s =
        Cli.run(
            "score",
            dir.resolve("m.sct"),
            "--data",
            "idx:" + dir,
            "--criterion",
            "fisher",
            "--batch-size",
            50,
            "--device",
            "cpu",
            "--json");
    JsonNode scores = Json.MAPPER.readTree(s.out()).get("byFilter");
    JsonNode removed = cell("out", "fisher-ratio0.2-seed1").at("/steps/0/removed");
    List<double[]> all = new ArrayList<>();
    scores
        .fields()
        .forEachRemaining(
            layer -> {
              for (int i = 0; i < layer.getValue().size(); i++) {
                boolean gone = false;
                for (JsonNode at : removed.path(layer.getKey())) {
                  gone |= at.asInt() == i;
                }
                all.add(new double[] {layer.getValue().get(i).asDouble(), gone ? 1 : 0});
              }
            });
    double highestGone =
        all.stream().filter(a -> a[1] == 1).mapToDouble(a -> a[0]).max().orElseThrow();
    double lowestLeft =
        all.stream().filter(a -> a[1] == 0).mapToDouble(a -> a[0]).min().orElseThrow();
    assertTrue(highestGone <= lowestLeft * 1.0001, highestGone + " " + lowestLeft);
    assertEquals(all.size() / 5, all.stream().filter(a -> a[1] == 1).count());
  }

  @Test
  void scorePruneAndExperimentAgreeFilterByFilter() throws IOException {
    String settings =
        "pruning-ratios: [0.2]\nscoring: {batch-size: 50, samples: 100}\nseeds: [3]\n";
    assertEquals(
        0, run("criteria: [pls-vip]\nfine-tuning: {epochs: 0}\n" + settings, "out").code());
    List<Object> same = List.of("--batch-size", 50, "--samples", 100, "--seed", 3, "-q");
    List<Object> score = new ArrayList<>(List.of("score", dir.resolve("m.sct"), "--data"));
    score.addAll(List.of("idx:" + dir, "--device", "cpu", "-o", dir.resolve("scores.json")));
    score.addAll(same);
    assertEquals(0, Cli.run(score.toArray()).code());
    List<Object> prune = new ArrayList<>(List.of("prune", dir.resolve("m.sct"), "--data"));
    prune.addAll(List.of("idx:" + dir, "--device", "cpu", "-o", dir.resolve("run")));
    prune.addAll(List.of("--pruning-ratio", 0.2, "--finetune-epochs", 0));
    prune.addAll(same);
    assertEquals(0, Cli.run(prune.toArray()).code());
    Path first = dir.resolve("run/iter-01");
    assertEquals(
        Json.MAPPER.readTree(dir.resolve("scores.json").toFile()),
        Json.MAPPER.readTree(first.resolve("scores.json").toFile()),
        "score and prune");
    assertEquals(
        cell("out", "pls-vip-ratio0.2-seed3").at("/steps/0/removed"),
        Json.MAPPER.readTree(first.resolve("metrics.json").toFile()).get("removed"),
        "experiment and prune");
  }

  @Test
  void goesOnWithWhatIsMissingInShardsOrAfterAKill() throws IOException {
    run(TUNED, "whole");
    Cli.Result first = run(TUNED, "parts", "--shard", "1/2", "--json");
    assertEquals(0, first.code(), first.err());
    assertEquals(6, Json.MAPPER.readTree(first.out()).get("missing").asInt());
    assertFalse(Files.exists(dir.resolve("parts/results.md")));
    assertEquals(0, run(TUNED, "parts", "--shard", "2/2").code());
    Files.delete(dir.resolve("parts/cells/l1-ratio0.3-seed2.json"));
    assertEquals(0, run(TUNED, "parts").code());
    for (String f : List.of("results.md", "results.csv", "results.json", "experiment.json")) {
      assertArrayEquals(
          Files.readAllBytes(dir.resolve("whole").resolve(f)),
          Files.readAllBytes(dir.resolve("parts").resolve(f)),
          f);
    }
  }

  @Test
  void theGridMayGrowButTheRestMustStay() throws IOException {
    assertEquals(0, run("criteria: [l1]\npruning-ratios: [0.1]\n", "out").code());
    Path cell = dir.resolve("out/cells/l1-ratio0.1-seed1.json");
    Object made = Files.getLastModifiedTime(cell);
    Cli.Result r = run("criteria: [l1, l2]\npruning-ratios: [0.1, 0.2]\n", "out", "--json");
    assertEquals(4, Json.MAPPER.readTree(r.out()).get("cells").asInt());
    assertEquals(made, Files.getLastModifiedTime(cell));
    Cli.fails(
        1,
        "recipe.scoring.samples was \"all\", now it is 50; an experiment goes on with the same settings only",
        run("criteria: [l1]\npruning-ratios: [0.1]\nscoring: {samples: 50}\n", "out"));
    Models.save(Architectures.create("resnet8", 4, 1, 16, 2), dir.resolve("m.sct"));
    Cli.fails(1, "modelCrc32", run("criteria: [l1]\npruning-ratios: [0.1]\n", "out"));
  }

  @Test
  void iterationsAreKeptAndTimed() throws IOException {
    Cli.Result r =
        run(
            "criteria: [l1]\npruning-ratios: [0.2]\nstop: {iterations: 3}\nlatency: {batch: 2, runs: 5}\n",
            "out",
            "--json");
    assertEquals(0, r.code(), r.err());
    JsonNode rows = Json.MAPPER.readTree(r.out()).get("rows");
    assertEquals(3, rows.size());
    double macs = 0;
    for (int i = 0; i < 3; i++) {
      assertEquals(i + 1, rows.get(i).get("iteration").asInt());
      assertTrue(rows.get(i).at("/macs/mean").asDouble() > macs);
      macs = rows.get(i).at("/macs/mean").asDouble();
      assertTrue(rows.get(i).at("/milliseconds/mean").asDouble() > 0);
      assertTrue(rows.get(i).at("/speedup/mean").asDouble() > 0);
    }
    assertTrue(Files.readString(dir.resolve("out/results.md")).contains("ms a batch"));
  }

  @Test
  void aCellThatFailsIsToldAndTheOthersRun() throws IOException {
    // of 112 filters in three layers, 0.99 would leave one layer without any
    Cli.Result r = run("criteria: [l1]\npruning-ratios: [0.99, 0.1]\n", "out");
    assertEquals(1, r.code());
    assertTrue(r.err().contains("l1-ratio0.99-seed1: pruning ratio 0.99 asks for"), r.err());
    assertEquals(1, r.err().strip().lines().count(), r.err());
    assertTrue(r.out().contains("| l1 | 0.1 |"), r.out());
  }

  @Test
  void aDamagedCellIsNamed() throws IOException {
    run("criteria: [l1]\npruning-ratios: [0.1]\n", "out");
    Path cell = dir.resolve("out/cells/l1-ratio0.1-seed1.json");
    Files.writeString(cell, "{\"criterion\": ");
    Cli.fails(1, cell + ": is damaged", run("criteria: [l1]\npruning-ratios: [0.1]\n", "out"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "pruning-ratios: [0.1, 1.5] | pruning-ratios 1.5: expected numbers between 0 and 1",
        "criteria: [l1] | pruning-ratios is missing; expected a list such as [0.1, 0.2]",
        "pruning-ratios: [0.1]\\ncriteria: [l7] | criteria l7: expected one of pls-vip, l1",
        "pruning-ratios: [0.1]\\nseeds: [] | seeds []: expected at least one",
        "pruning-ratios: [0.1, 0.1] | pruning-ratios [0.1, 0.1]: expected each once",
        "pruning-ratios: [0.1, ~] | pruning-ratios [0.1, null]: expected no empty entry",
        "rates: [0.1]\\nfinetune: {lr: -1} | fine-tuning.lr '-1.0': expected a number greater",
        "rates: [0.1]\\nfine-tuning: {epoch: 1} | fine-tuning.epoch is no setting; expected one of",
        "rates: [0.1]\\npool: min | scoring.pool 'min': expected max or avg",
        "rates: [0.1]\\nstop: {iterations: 0} | stop.iterations '0': expected a whole number of at",
        "rates: [0.1]\\nrecipe: mine | recipe 'mine': expected one of default, paper",
        "rates: [0.1]\\nlatency: {batch: no} | latency.batch",
        "rates: [0.1]\\nlatency: {bach: 1} | latency bach: expected batch or runs",
        "rates: [0.1]\\nlatency: 3 | latency 3: expected {batch, runs}",
        "rates: [0.1]\\nseed: 3 | seed has no place in a plan",
        "rates: [0.1]\\nstop: {macs: 0.5} | stop.macs has no place in a plan",
        "rates: abc | pruning-ratios",
        "pruning-ratios: [0.1 | line 3",
      })
  void mistakesInThePlanNameFileAndKey(String plan, String message) throws IOException {
    Cli.Result r = run(plan.replace("\\n", "\n"), "out");
    Cli.fails(1, message, r);
    assertTrue(r.err().contains("plan.yaml: "), r.err());
    assertFalse(Files.exists(dir.resolve("out")));
  }

  @Test
  void otherMistakes() throws IOException {
    Cli.fails(2, "'3/2': expected I/N", run("pruning-ratios: [0.1]", "out", "--shard", "3/2"));
    Cli.fails(1, "no such file", run("pruning-ratios: [0.1]", "out", "--model", "none.sct"));
    Cli.fails(1, "expected one of cifar10", run("pruning-ratios: [0.1]", "out", "--data", "abc"));
    Files.writeString(dir.resolve("empty.yaml"), "");
    Cli.fails(
        1,
        "empty.yaml: is empty",
        Cli.run("experiment", dir.resolve("empty.yaml"), "-o", dir.resolve("o")));
  }
}
