package dev.secateur.cli;

import static dev.secateur.cli.Cli.fails;
import static dev.secateur.cli.Cli.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.io.Models;
import dev.secateur.nn.Architectures;
import dev.secateur.util.Json;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Attribute;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.parser.ParseErrorList;
import org.jsoup.parser.Parser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The report of runs of every kind. */
class ReportCommandTest {
  private static final int SIZE = 8;
  @TempDir static Path dir;
  private static Path model;

  /** Two iterations of PLS and VIP with fine-tuning; others copy it. */
  private static Path finished;

  @TempDir Path own;

  @BeforeAll
  static void prune() throws IOException {
    System.setProperty("secateur.bench.warmup", "0");
    write("train", 120);
    model = dir.resolve("a<script>alert(1)<b>&'.sct");
    Models.save(Architectures.create("resnet8", 3, 1, SIZE, 1), model);
    finished = dir.resolve("run of \"today\"");
    Cli.Result r = prune(finished, "--iterations", "2", "--finetune-epochs", "2");
    assertEquals(0, r.code(), r.err());
  }

  @AfterAll
  static void warmUpAgain() {
    System.clearProperty("secateur.bench.warmup");
  }

  private static void write(String part, int n) throws IOException {
    SplittableRandom random = new SplittableRandom(n);
    ByteBuffer images = ByteBuffer.allocate(16 + n * SIZE * SIZE);
    images.putInt(0x803).putInt(n).putInt(SIZE).putInt(SIZE);
    ByteBuffer labels = ByteBuffer.allocate(8 + n);
    labels.putInt(0x801).putInt(n);
    for (int i = 0; i < n; i++) {
      labels.put((byte) (i % 3));
      for (int k = 0; k < SIZE * SIZE; k++) {
        images.put((byte) random.nextInt(k % SIZE / 3 == i % 3 ? 250 : 90));
      }
    }
    Files.write(dir.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(dir.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }

  private static Cli.Result prune(Path out, String... more) {
    List<Object> a = new ArrayList<>(List.of("prune", model, "--data", "idx:" + dir));
    a.addAll(List.of("--batch-size", "16", "--hold-out", "0.3", "--lr", "0.05", "-q", "-o", out));
    a.addAll(List.of(more));
    return run(a.toArray());
  }

  private static Document page(Path folder) throws IOException {
    Parser parser = Parser.htmlParser().setTrackErrors(20);
    Document page = Jsoup.parse(Files.readString(folder.resolve("report.html")), "", parser);
    ParseErrorList errors = parser.getErrors();
    assertTrue(errors.isEmpty(), errors.toString());
    return page;
  }

  private Path copy() throws IOException {
    Path to = own.resolve("copy");
    try (Stream<Path> all = Files.walk(finished)) {
      for (Path p : all.filter(f -> !f.toString().contains("report")).toList()) {
        Files.copy(p, to.resolve(finished.relativize(p).toString()));
      }
    }
    return to;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(p);
      }
    }
  }

  @Test
  void aFinishedRunHasEverySection() throws IOException {
    Cli.Result r = run("report", finished, "--batch", 4, "--runs", 5, "--device", "cpu");
    assertEquals(0, r.code(), r.err());
    Path folder = finished.resolve("report");
    Document page = page(folder);
    assertEquals(
        List.of(
            "Summary",
            "Accuracy, MACs and milliseconds",
            "Widths of the layers",
            "VIP by layer",
            "PLS scores of images",
            "Training curves",
            "Environment",
            "Commands to repeat it"),
        page.select("h2").eachText());
    assertEquals(
        List.of(
            "Accuracy against MACs",
            "Accuracy against milliseconds",
            "Speedup",
            "Filters by layer",
            "VIP by layer, iteration 1",
            "VIP by layer, iteration 2",
            "PLS scores: Before pruning",
            "PLS scores: After pruning",
            "Training loss",
            "Training accuracy"),
        page.select("figure h3").eachText());
    for (Element figure : page.select("figure")) {
      assertEquals(1, figure.select("> svg[role=img] > title").size(), figure.id());
      assertFalse(figure.select("> svg > desc").text().isBlank(), figure.id());
      assertFalse(figure.select("figcaption").text().isBlank(), figure.id());
      assertTrue(figure.select("table tbody tr").size() > 0, figure.id());
      String name = figure.id().replace("figure-", "");
      for (String ending : List.of(".svg", ".png")) {
        assertTrue(Files.size(folder.resolve(name + ending)) > 1000, name + ending);
      }
    }
    assertTrue(page.select(".note").text().replaceAll("Other programs.*", "").isEmpty());
  }

  @Test
  void thePageSaysWhatTheRunSays() throws IOException {
    Path out = own.resolve("out");
    assertEquals(
        0, run("report", finished, "-o", out, "--batch", 4, "--runs", 5, "--device", "cpu").code());
    Document page = page(out);
    JsonNode first = json(finished.resolve("iter-00/metrics.json"));
    JsonNode last = json(finished.resolve("iter-02/metrics.json"));
    String lead = page.select(".lead").text();
    long gone = first.get("filters").asLong() - last.get("filters").asLong();
    assertTrue(
        lead.contains("removed " + gone + " of " + first.get("filters").asLong() + " prunable"),
        lead);
    String change =
        Numbers.format(
            "%+.1f %%", 100.0 * (last.get("macs").asDouble() / first.get("macs").asDouble() - 1));
    assertTrue(lead.contains(change.replace('-', '\u2212')), lead);
    JsonNode numbers = json(out.resolve("report.json"));
    JsonNode row = numbers.get("timing").get("rows").get(2);
    assertTrue(
        lead.contains(Numbers.format("%.2f times as fast", row.get("speedup").asDouble())), lead);
    assertEquals(last.get("macs"), numbers.get("iterations").get(2).get("macs"));
    // the threshold, found here from the files
    JsonNode scores = json(finished.resolve("iter-01/scores.json")).get("byFilter");
    JsonNode removed = json(finished.resolve("iter-01/metrics.json")).get("removed");
    double most = 0;
    for (String layer : (Iterable<String>) removed::fieldNames) {
      for (JsonNode f : removed.get(layer)) {
        most = Math.max(most, scores.get(layer).get(f.asInt()).asDouble());
      }
    }
    assertEquals(
        most, numbers.get("iterations").get(1).get("highestScoreRemoved").asDouble(), 1e-7);
    assertTrue(
        page.select("#figure-scores-iteration-1 svg text").text().contains("threshold"),
        "the threshold is drawn");
    JsonNode points = json(finished.resolve("projection.json")).get("before");
    assertEquals(points.get("labels").size(), points.get("first").size());
    assertTrue(points.get("labels").size() >= 30, "held-out images");
    assertNotEquals(points, json(finished.resolve("projection.json")).get("after"));
    String command = page.select("#commands pre").first().text();
    assertTrue(command.startsWith("secateur prune '") && command.contains("--iterations 2"));
  }

  @Test
  void aPageIsWholeInItselfAndEscapesNames() throws IOException {
    Path out = own.resolve("out");
    assertEquals(0, run("report", finished, "-o", out, "--no-bench").code());
    Document page = page(out);
    assertEquals("Pruning report: " + model.getFileName(), page.select("h1").text());
    assertTrue(page.select("script, link[rel=stylesheet], iframe, img, object").isEmpty());
    Set<String> ids = new HashSet<>();
    for (Element e : page.getAllElements()) {
      for (Attribute a : e.attributes()) {
        boolean name = a.getKey().startsWith("xmlns");
        assertTrue(name || !a.getValue().matches("(?s).*(https?:)?//\\w+\\.\\w.*"), a.toString());
        assertFalse(a.getKey().startsWith("on"), a.toString());
        if (a.getKey().equals("href")) {
          boolean inside = page.getElementById(a.getValue().substring(1)) != null;
          assertTrue(inside || a.getValue().equals("data:,"), a.toString());
        }
      }
      assertTrue(e.id().isEmpty() || ids.add(e.id()), "twice: " + e.id());
    }
    String css = page.select("style").html();
    assertFalse(css.contains("url(") || css.contains("@import"), "the style asks for nothing");
    for (Element table : page.select("table")) {
      assertFalse(table.select("> caption").text().isBlank());
      assertTrue(table.select("th:not([scope])").isEmpty(), table.select("caption").text());
    }
    assertEquals("en", page.select("html").attr("lang"));
    assertEquals("#report", page.select("body > a").first().attr("href"));
  }

  @Test
  void withoutMillisecondsItSaysSo() throws IOException {
    Path out = own.resolve("out");
    assertEquals(0, run("report", finished, "-o", out, "--no-bench").code());
    Document page = page(out);
    assertTrue(page.select("#accuracy .note").text().contains("were not measured"));
    assertEquals(1, page.select("#accuracy figure").size());
    assertFalse(Files.exists(out.resolve("speedup.svg")));
  }

  @Test
  void otherCriteriaAndNoFineTuning() throws IOException {
    Path l1 = own.resolve("l1");
    assertEquals(0, prune(l1, "--criterion", "l1", "--finetune-epochs", "0").code());
    assertFalse(Files.exists(l1.resolve("projection.json")));
    assertEquals(0, run("report", l1, "--no-bench").code());
    Document page = page(l1.resolve("report"));
    assertTrue(page.select("h2").eachText().contains("l1 score by layer"));
    assertTrue(page.select("#pls .note").text().contains("this one used l1"));
    assertTrue(page.select("#training .note").text().contains("No fine-tuning"));
    assertEquals(3, page.select("figure").size());
  }

  @Test
  void aRunKilledBeforeItsFirstIterationHasAReport() throws IOException {
    Path killed = copy();
    delete(killed.resolve("iter-01"));
    delete(killed.resolve("iter-02"));
    for (String late : List.of("projection.json", "command.txt", "model.sct")) {
      Files.delete(killed.resolve(late));
    }
    ObjectNode run = (ObjectNode) json(killed.resolve("run.json"));
    run.remove("outcome");
    Json.MAPPER.writeValue(killed.resolve("run.json").toFile(), run);
    Cli.Result r = run("report", killed, "--batch", 4, "--runs", 2, "--device", "cpu");
    assertEquals(0, r.code(), r.err());
    Document page = page(killed.resolve("report"));
    assertTrue(page.select(".lead").text().startsWith("Nothing was removed"));
    assertTrue(page.select("#summary .note").text().contains("has not ended"));
    assertTrue(page.select("#scores .note").text().contains("Nothing has been scored"));
  }

  @Test
  void aRunOfAnEarlierVersionHasAReport() throws IOException {
    Path old = copy();
    Files.delete(old.resolve("projection.json"));
    Files.delete(old.resolve("command.txt"));
    for (String i : List.of("iter-00", "iter-01", "iter-02")) {
      Files.delete(old.resolve(i).resolve("time.json"));
      Path scores = old.resolve(i).resolve("scores.json");
      ObjectNode vip = Json.MAPPER.createObjectNode();
      vip.set("vip", json(scores).get("byFilter"));
      Json.MAPPER.writeValue(scores.toFile(), vip);
    }
    assertEquals(0, run("report", old, "--no-bench").code());
    Document page = page(old.resolve("report"));
    assertTrue(page.select("#pls .note").text().contains("no projection.json"));
    assertEquals(2, page.select("#scores figure").size());
  }

  @Test
  void whatIsNoRunIsNamedInOneLine() throws IOException {
    fails(1, own.resolve("none") + ": no such directory", run("report", own.resolve("none")));
    fails(1, "is no run directory: it has no run.json", run("report", own));
    Path run = copy();
    Path metrics = run.resolve("iter-01/metrics.json");
    byte[] whole = Files.readAllBytes(metrics);
    Files.writeString(metrics, "{\"iteration\": 1");
    fails(1, metrics + ": is damaged", run("report", run));
    Files.writeString(metrics, "{\"iteration\": 1}");
    fails(1, metrics + ": is damaged", run("report", run));
    Files.write(metrics, whole);
    Files.writeString(run.resolve("iter-02/model.sct"), "no model");
    fails(1, run.resolve("iter-02/model.sct").toString(), run("report", run, "--no-bench"));
    Files.delete(run.resolve("iter-02/model.sct"));
    fails(1, run.resolve("iter-02/model.sct") + ": is missing", run("report", run));
    Files.writeString(run.resolve("run.json"), "[]");
    fails(1, run.resolve("run.json") + ": is damaged", run("report", run));
    Files.writeString(run.resolve("run.json"), "{\"config\": {}}");
    for (String i : List.of("iter-00", "iter-01", "iter-02")) {
      delete(run.resolve(i));
    }
    fails(1, "has no iteration yet", run("report", run));
  }

  private static JsonNode json(Path file) throws IOException {
    return Json.MAPPER.readTree(file.toFile());
  }
}
