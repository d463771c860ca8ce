package dev.secateur.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.util.Checksums;
import dev.secateur.util.Json;
import dev.secateur.util.Words;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What an experiment does: every criterion at every pruning ratio (or part of the MACs) with every
 * seed. Its file is a {@link Recipe} (what is not given is as in {@code secateur prune}) and these:
 *
 * @param model a native model file, as seen from the folder where the command runs
 * @param data as {@code --data} takes it
 * @param criteria recipes that are compared, by name: those of the names of {@link Criteria} that
 *     {@code criteria} lists, and the {@code variants}, each any part of a recipe; default the
 *     recipe's criterion where it names one, else all
 * @param removed what the grid's numbers are parts of
 * @param ratios {@code pruning-ratios}: parts of the remaining prunable filters that go in each
 *     iteration; {@code macs-removed}: parts of the original's MACs that are gone in the end
 * @param control whether the unpruned network is trained as the others are, once a seed
 * @param evaluation whose accuracies are measured
 * @param seeds of the images held out, of random scores and of fine-tuning
 * @param recipe of every cell, but for what the grid says; {@code recipe: NAME} names one that it
 *     is laid over
 * @param latency what is timed in the end; without it nothing is
 */
public record Plan(
    String model,
    String data,
    Map<String, Recipe> criteria,
    Removed removed,
    List<Double> ratios,
    List<Long> seeds,
    boolean control,
    Evaluation evaluation,
    Recipe recipe,
    Optional<Timing> latency) {
  /** The name of the network that loses nothing. */
  static final String CONTROL = "unpruned";

  /** What a part is of. */
  public enum Removed {
    FILTERS,
    MACS
  }

  /** Images that accuracies are measured on. */
  public enum Evaluation {
    TEST,

    /** Training images that neither score nor teach: for choices. */
    HELD_OUT;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return Words.kebab(this);
    }
  }

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
  public record Cell(String criterion, double ratio, long seed) {}

  /** Name of a cell's file. */
  String name(Cell c) {
    String of = c.criterion;
    if (!Criteria.known(of) && !of.equals(CONTROL)) { // another recipe of the same name is another
      of += String.format("-%08x", Checksums.crc32(tree(criteria.get(of)).toString()));
    }
    String part = (removed == Removed.MACS ? "-macs" : "-ratio") + c.ratio;
    return String.format(Locale.ROOT, "%s%s-seed%d", of, part, c.seed);
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
    boolean variants = tree.has("variants");
    List<String> criteria =
        tree.has("criteria")
            ? list(tree, "criteria", new TypeReference<>() {})
            : variants ? List.of() : one.isTextual() ? List.of(one.asText()) : Criteria.names();
    for (String c : criteria) {
      require(Criteria.known(c), "criteria", c, Criteria.EXPECTED);
    }
    Removed removed = tree.has("macs-removed") ? Removed.MACS : Removed.FILTERS;
    String grid = removed == Removed.MACS ? "macs-removed" : "pruning-ratios";
    if (tree.has("macs-removed") && tree.has("pruning-ratios")) {
      throw new SettingException(grid, "and pruning-ratios: only one of them at a time");
    }
    given(tree, grid, "a list such as [0.1, 0.2]");
    List<Double> ratios = list(tree, grid, new TypeReference<>() {});
    ratios.forEach(r -> require(r > 0 && r < 1, grid, r, "numbers between 0 and 1"));
    JsonNode control = tree.path("control");
    require(control.isMissingNode() || control.isBoolean(), "control", control, "true or false");
    String on = tree.path("evaluation").asText("test");
    require(List.of("test", "held-out").contains(on), "evaluation", on, "test or held-out");
    List<Long> seeds =
        tree.has("seeds") ? list(tree, "seeds", new TypeReference<>() {}) : List.of(1L);
    noneOfTheGrid("", tree, removed);
    Optional<Timing> latency = Optional.ofNullable(tree.remove("latency")).map(Plan::timing);
    JsonNode base = tree.remove("recipe");
    String modelFile = model.orElseGet(() -> given(tree, "model", "a model file").asText());
    String images = data.orElseGet(() -> given(tree, "data", "KIND:DIR").asText());
    ObjectNode named = variants ? object(tree.get("variants"), "variants") : tree.objectNode();
    tree.remove(
        List.of("criteria", "variants", grid, "seeds", "model", "data", "control", "evaluation"));
    Recipe given = (base == null ? Recipe.DEFAULT : Recipe.named(base.asText())).overlaid(tree);
    Recipe recipe =
        removed == Removed.MACS && given.stop().iterations().isEmpty()
            ? given.with("stop.iterations", 1)
            : given;
    Map<String, Recipe> compared = new LinkedHashMap<>();
    criteria.forEach(c -> compared.put(c, recipe.with("scoring.criterion", c)));
    named
        .fields()
        .forEachRemaining(
            e -> compared.put(e.getKey(), variant(e.getKey(), e.getValue(), recipe, removed)));
    return new Plan(
        modelFile,
        images,
        compared,
        removed,
        ratios,
        seeds,
        control.asBoolean(),
        on.equals("test") ? Evaluation.TEST : Evaluation.HELD_OUT,
        recipe,
        latency);
  }

  /** What is not told apart is as in the plan, except for what another recipe's name says. */
  private static Recipe variant(String name, JsonNode given, Recipe plan, Removed removed) {
    String path = "variants." + name;
    require(
        name.matches("[\\w.+*-]+") && !Criteria.known(name) && !name.equals(CONTROL),
        "variants",
        name,
        "a name of letters, digits and . + * - _ that is no criterion's");
    ObjectNode own = given.isNull() ? Json.SETTINGS.createObjectNode() : object(given, path);
    JsonNode base = own.remove("recipe");
    noneOfTheGrid(path + ".", own, removed);
    try {
      Recipe recipe = plan;
      if (base
          != null) { // of another recipe: how it scores and chooses; the training is the plan's
        ObjectNode tree = Recipe.named(base.asText()).tree();
        tree.withObjectProperty("choice").remove("pruning-ratio");
        recipe = plan.overlaid(tree.retain("scoring", "choice"));
      }
      return recipe.overlaid(own);
    } catch (SettingException e) {
      throw new SettingException(path + "." + e.path(), e.problem());
    }
  }

  private static ObjectNode object(JsonNode node, String key) {
    if (!(node instanceof ObjectNode o)) {
      throw new SettingException(key, node + ": expected settings by name");
    }
    return o.deepCopy();
  }

  private static void noneOfTheGrid(String path, ObjectNode tree, Removed removed) {
    List<String> grid = new ArrayList<>(List.of("/seed", "/stop/macs", "/stop/latency"));
    if (removed == Removed.FILTERS) {
      grid.add("/choice/pruning-ratio");
    }
    for (String at : grid) {
      if (!tree.at(at).isMissingNode()) {
        throw new SettingException(
            path + at.substring(1).replace('/', '.'),
            "has no place in a plan: its grid has seeds and pruning-ratios or macs-removed, and"
                + " each cell stop.iterations");
      }
    }
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

  /** The recipe of one cell; with parts of the MACs each step goes as far as is left. */
  Recipe recipe(Cell c) {
    Recipe own = c.criterion.equals(CONTROL) ? recipe : criteria.get(c.criterion);
    if (c.ratio > 0) {
      own =
          removed == Removed.MACS
              ? own.with("stop.macs", 1 - c.ratio)
              : own.with("choice.pruning-ratio", c.ratio);
    }
    return own.with("seed", c.seed).resolved();
  }

  /** Without a sparse training where there is none: experiments from before it go on. */
  private static ObjectNode tree(Recipe recipe) {
    ObjectNode tree = recipe.tree();
    if (recipe.sparseTraining().none()) {
      tree.remove("sparse-training");
    }
    return tree;
  }

  /** Everything but the grid: what all cells have in common. */
  ObjectNode settings() {
    ObjectNode json = Json.SETTINGS.createObjectNode();
    json.put("data", data);
    if (evaluation != Evaluation.TEST) {
      json.put("evaluation", evaluation.toString());
    }
    ObjectNode own = tree(recipe.resolved());
    own.withObjectProperty("scoring").remove("criterion");
    own.withObjectProperty("choice").remove("pruning-ratio");
    own.remove("seed");
    json.set("recipe", own);
    return json;
  }

  /** All cells, those that share scores beside each other. */
  List<Cell> cells() {
    List<Cell> out = new ArrayList<>();
    for (long seed : seeds) {
      if (control) {
        out.add(new Cell(CONTROL, 0, seed));
      }
      criteria.keySet().forEach(c -> ratios.forEach(r -> out.add(new Cell(c, r, seed))));
    }
    return out;
  }
}
