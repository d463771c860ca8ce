package dev.secateur.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.prune.Recipe;
import dev.secateur.train.Schedule;
import dev.secateur.util.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code run.json} of version 0.1, which had one flat object {@code config} in the place of inputs
 * and recipe, and left out what had its usual value.
 */
final class EarlierRun {
  /** Keys whose value is a recipe's setting. */
  private static final Map<String, String> SAME =
      Map.ofEntries(
          Map.entry("scope", "choice.scope"),
          Map.entry("groupScore", "choice.group-reduction"),
          Map.entry("rate", "choice.pruning-ratio"),
          Map.entry("iterations", "stop.iterations"),
          Map.entry("targetMacs", "stop.macs"),
          Map.entry("targetParameters", "stop.params"),
          Map.entry("targetSize", "stop.size"),
          Map.entry("targetLatency", "stop.latency"),
          Map.entry("latencyBatch", "stop.latency-batch"),
          Map.entry("maxDrop", "stop.max-drop"),
          Map.entry("holdOut", "hold-out"),
          Map.entry("criterion", "scoring.criterion"),
          Map.entry("components", "scoring.components"),
          Map.entry("features", "scoring.features"),
          Map.entry("samples", "scoring.samples"),
          Map.entry("batchSize", "scoring.batch-size"),
          Map.entry("seed", "seed"));

  /** What 0.1 did where its records say nothing: it could not do otherwise. */
  static final Recipe BASE =
      Recipe.DEFAULT
          .with("scoring.columns", "prunable")
          .with("scoring.pool", "max")
          .with("scoring.features", "convolution")
          .with("scoring.samples", 10_000)
          .with("scoring.scale", "unit")
          .with("scoring.weighting", "none")
          .with("scoring.projections", "one")
          .with("choice.dead-filters", "rank")
          .with("choice.ranking", "global")
          .with("choice.threshold", "count")
          .with("fine-tuning.decay-norms", true)
          .with("fine-tuning.bn-recalibration", 0);

  private EarlierRun() {}

  static RunRecord read(JsonNode json) {
    JsonNode c = json.get("config");
    RunInputs inputs =
        new RunInputs(
            c.path("model").asText(),
            c.path("modelCrc32").asLong(),
            c.path("data").asText(),
            c.path("device").asText(),
            c.path("math").asText("fp32"),
            c.path("secateur").asText("unknown"),
            Optional.ofNullable(c.path("onnx").textValue()),
            Optional.empty(),
            Optional.empty());
    Optional<RunRecord.Outcome> outcome =
        json.has("stoppedBy")
            ? Optional.of(
                new RunRecord.Outcome(
                    json.path("stoppedBy").asText().replace("target-", ""),
                    json.path("chosenIteration").asInt(),
                    json.path("device").asText(inputs.device()),
                    texts(json.path("libraries")),
                    texts(json.path("environment"))))
            : Optional.empty();
    return new RunRecord(inputs, recipe(c), outcome);
  }

  private static Map<String, String> texts(JsonNode json) {
    Map<String, String> out = new LinkedHashMap<>();
    json.fields()
        .forEachRemaining(
            e ->
                out.put(
                    e.getKey().equals("javaVendor") ? "java-vendor" : e.getKey(),
                    e.getValue().asText()));
    return out;
  }

  private static Recipe recipe(JsonNode c) {
    ObjectNode o = Json.SETTINGS.createObjectNode();
    SAME.forEach(
        (key, setting) -> {
          if (c.has(key)) {
            Recipe.put(o, setting, c.get(key));
          }
        });
    Recipe.put(o, "scoring.pool", c.path("pool").asText().equals("AVERAGE") ? "avg" : "max");
    JsonNode constraints = c.path("constraints");
    if (constraints.isObject()) {
      Recipe.put(o, "choice.round-to", constraints.path("roundTo"));
      Recipe.put(o, "choice.keep", constraints.path("keep"));
      Recipe.put(o, "choice.min-pruning-ratio", ratios(constraints.path("minRates")));
      Recipe.put(o, "choice.max-pruning-ratio", ratios(constraints.path("maxRates")));
    }
    JsonNode t = c.path("fineTuning");
    Recipe.put(o, "fine-tuning.epochs", 0);
    if (t.isObject()) {
      tuning(o, t);
    }
    return BASE.overlaid(o).resolved();
  }

  private static Map<String, JsonNode> ratios(JsonNode list) {
    Map<String, JsonNode> out = new LinkedHashMap<>();
    list.forEach(
        r -> {
          out.remove(r.path("pattern").asText()); // the last that fits counts
          out.put(r.path("pattern").asText(), r.path("rate"));
        });
    return out;
  }

  private static void tuning(ObjectNode o, JsonNode t) {
    JsonNode s = t.path("schedule");
    int epochs = s.path("epochs").asInt();
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("epochs", epochs);
    all.put("batch-size", t.path("batch"));
    all.put("lr", s.path("peak"));
    all.put("momentum", t.path("sgd").path("momentum"));
    all.put("nesterov", t.path("sgd").path("nesterov"));
    all.put("weight-decay", t.path("sgd").path("weightDecay"));
    all.put("label-smoothing", t.path("sgd").path("labelSmoothing"));
    all.put("schedule", s.path("kind").asText().toLowerCase(Locale.ROOT));
    all.put("gamma", s.path("gamma"));
    all.put("warmup-epochs", s.path("warmup"));
    all.put("crop-padding", t.path("augmentation").path("padding"));
    all.put("flip", t.path("augmentation").path("flip"));
    List<Double> milestones = new ArrayList<>();
    s.path("milestones").forEach(m -> milestones.add(m.asDouble()));
    double[] usual = Schedule.of(Schedule.Kind.STEP, 1, epochs, 0).milestones();
    boolean isUsual = milestones.equals(List.of(usual[0], usual[1]));
    all.put("milestones", isUsual ? List.of() : milestones);
    all.forEach((name, value) -> Recipe.put(o, "fine-tuning." + name, value));
  }
}
