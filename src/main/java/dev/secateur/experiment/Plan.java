package dev.secateur.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What an experiment does: every criterion at every pruning ratio with every seed. Its file is a
 * {@link Recipe} (what is not given is as in {@code secateur prune}) and these:
 *
 * @param model a native model file, as seen from the folder where the command runs
 * @param data as {@code --data} takes it
 * @param criteria names of {@link Criteria}; default the recipe's where it names one, else all
 * @param pruningRatios parts of the remaining prunable filters that go in each iteration
 * @param seeds of the images held out, of random scores and of fine-tuning
 * @param recipe of every cell, but for what the grid says; {@code recipe: NAME} names one that it
 *     is laid over
 * @param latency what is timed in the end; without it nothing is
 */
public record Plan(
    String model,
    String data,
    List<String> criteria,
    List<Double> pruningRatios,
    List<Long> seeds,
    Recipe recipe,
    Optional<Timing> latency) {

  /** Names of version 0.1, for one release. */
  private static final Map<String, String> EARLIER =
      Map.of(
          "rates", "pruning-ratios",
          "finetune", "fine-tuning",
          "iterations", "stop.iterations",
          "scope", "choice.scope",
          "samples", "scoring.samples",
          "pool", "scoring.pool",
          "features", "scoring.features",
          "components", "scoring.components",
          "batch-size", "scoring.batch-size");

  /**
   * @param batch images at once
   * @param runs timed batches of each network
   */
  public record Timing(int batch, int runs) {}

  /** One run of the grid. */
  public record Cell(String criterion, double ratio, long seed) {
    /** Name of its file. */
    String name() {
      return String.format(Locale.ROOT, "%s-ratio%s-seed%d", criterion, ratio, seed);
    }
  }

  /**
   * @param model in the place of the file's
   * @param data in the place of the file's
   * @throws SecateurException naming the file, the key and what was expected
   */
  public static Plan read(Path file, Optional<String> model, Optional<String> data)
      throws IOException {
    try {
      JsonNode tree = Json.yaml().readTree(Files.readAllBytes(file));
      if (tree.isMissingNode() || tree.isNull()) {
        throw new SecateurException(
            file + ": is empty; expected at least model, data and pruning-ratios");
      }
      if (!tree.isObject()) {
        throw new SecateurException(file + ": " + tree + ": expected keys and values");
      }
      return of(current(tree), model, data);
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": " + Json.told(e), e);
    } catch (SettingException e) {
      throw new SecateurException(file + ": " + e.getMessage());
    }
  }

  private static ObjectNode current(JsonNode written) {
    ObjectNode out = Json.SETTINGS.createObjectNode();
    written
        .fields()
        .forEachRemaining(
            e -> Recipe.put(out, EARLIER.getOrDefault(e.getKey(), e.getKey()), e.getValue()));
    return out;
  }

  private static Plan of(ObjectNode tree, Optional<String> model, Optional<String> data) {
    JsonNode one = tree.at("/scoring/criterion");
    List<String> criteria =
        tree.has("criteria")
            ? list(tree, "criteria", new TypeReference<>() {})
            : one.isTextual() ? List.of(one.asText()) : Criteria.names();
    for (String c : criteria) {
      require(Criteria.known(c), "criteria", c, Criteria.EXPECTED);
    }
    given(tree, "pruning-ratios", "a list such as [0.1, 0.2]");
    List<Double> ratios = list(tree, "pruning-ratios", new TypeReference<>() {});
    ratios.forEach(r -> require(r > 0 && r < 1, "pruning-ratios", r, "numbers between 0 and 1"));
    List<Long> seeds =
        tree.has("seeds") ? list(tree, "seeds", new TypeReference<>() {}) : List.of(1L);
    for (String grid : List.of("/seed", "/choice/pruning-ratio", "/stop/macs", "/stop/latency")) {
      if (!tree.at(grid).isMissingNode()) {
        throw new SettingException(
            grid.substring(1).replace('/', '.'),
            "has no place in a plan: its grid has seeds and pruning-ratios, and each cell"
                + " stop.iterations");
      }
    }
    Optional<Timing> latency = Optional.ofNullable(tree.remove("latency")).map(Plan::timing);
    JsonNode base = tree.remove("recipe");
    String modelFile = model.orElseGet(() -> given(tree, "model", "a model file").asText());
    String images = data.orElseGet(() -> given(tree, "data", "KIND:DIR").asText());
    tree.remove(List.of("criteria", "pruning-ratios", "seeds", "model", "data"));
    Recipe recipe = (base == null ? Recipe.DEFAULT : Recipe.named(base.asText())).overlaid(tree);
    return new Plan(modelFile, images, criteria, ratios, seeds, recipe.resolved(), latency);
  }

  private static Timing timing(JsonNode t) {
    if (!t.isObject()) {
      throw new SettingException("latency", t + ": expected {batch, runs}");
    }
    t.fieldNames()
        .forEachRemaining(
            n -> require(List.of("batch", "runs").contains(n), "latency", n, "batch or runs"));
    Timing out = new Timing(t.path("batch").asInt(32), t.path("runs").asInt(30));
    require(out.batch > 0, "latency.batch", t.path("batch"), "a whole number of at least 1");
    require(out.runs > 0, "latency.runs", t.path("runs"), "a whole number of at least 1");
    return out;
  }

  private static <T> List<T> list(ObjectNode tree, String key, TypeReference<List<T>> type) {
    List<T> list;
    try {
      list = Json.SETTINGS.convertValue(tree.get(key), type);
    } catch (IllegalArgumentException e) {
      throw new SettingException(key, tree.get(key) + ": expected a list");
    }
    require(list != null && !list.isEmpty(), key, list, "at least one");
    require(list.stream().noneMatch(Objects::isNull), key, list, "no empty entry");
    require(new HashSet<>(list).size() == list.size(), key, list, "each once");
    return list;
  }

  private static JsonNode given(ObjectNode tree, String key, String expected) {
    if (!tree.hasNonNull(key)) {
      throw new SettingException(key, "is missing; expected " + expected);
    }
    return tree.get(key);
  }

  private static void require(boolean holds, String key, Object value, String expected) {
    if (!holds) {
      throw new SettingException(key, value + ": expected " + expected);
    }
  }

  /** The recipe of one cell. */
  Recipe recipe(Cell c) {
    return recipe
        .with("scoring.criterion", c.criterion)
        .with("choice.pruning-ratio", c.ratio)
        .with("seed", c.seed);
  }

  /** Everything but the grid: what all cells have in common. */
  ObjectNode settings() {
    ObjectNode json = Json.SETTINGS.createObjectNode();
    json.put("data", data);
    ObjectNode own = recipe.tree();
    own.withObjectProperty("scoring").remove("criterion");
    own.withObjectProperty("choice").remove("pruning-ratio");
    own.remove("seed");
    json.set("recipe", own);
    return json;
  }

  /** All cells, those that share scores beside each other. */
  List<Cell> cells() {
    return seeds.stream()
        .flatMap(
            s -> criteria.stream().flatMap(c -> pruningRatios.stream().map(r -> new Cell(c, r, s))))
        .toList();
  }
}
