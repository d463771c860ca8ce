package dev.secateur.experiment;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.secateur.SecateurException;
import dev.secateur.device.PoolSpec;
import dev.secateur.io.Json;
import dev.secateur.nn.Pooling;
import dev.secateur.nn.Sgd;
import dev.secateur.prune.Scope;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.train.Augmentation;
import dev.secateur.train.Schedule;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What an experiment does: every criterion at every rate with every seed. What is not given has the
 * value that {@code secateur prune} takes.
 *
 * @param model a native model file, as seen from the folder where the command runs
 * @param data as {@code --data} takes it
 * @param criteria names of {@link Criteria}; default all
 * @param rates parts of the remaining prunable filters that go in each iteration
 * @param iterations how many times; the results after each are kept
 * @param seeds of the images scored on, of random scores and of fine-tuning
 * @param samples training images to score on
 * @param pooling {@code pool: max} or avg and {@code features: convolution} or activation
 * @param components of PLS
 * @param batchSize images at once while scoring and evaluating
 * @param finetune after each iteration; without it nothing is fine-tuned
 * @param latency what is timed in the end; without it nothing is
 */
public record Plan(
    String model,
    String data,
    List<String> criteria,
    List<Double> rates,
    int iterations,
    List<Long> seeds,
    Scope scope,
    int samples,
    Pooling pooling,
    int components,
    int batchSize,
    Optional<Finetune> finetune,
    Optional<Timing> latency) {

  private static final ObjectMapper YAML =
      YAMLMapper.builder()
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
          .build();

  /**
   * Fine-tuning by SGD with momentum 0.9 under a cosine schedule, on random crops and mirror
   * images.
   *
   * @param epochs passes over the images
   * @param samples training images; default all
   * @param lr highest learning rate
   */
  public record Finetune(int epochs, int samples, double lr, int batchSize, double weightDecay) {
    TrainingOptions options(long seed) {
      return new TrainingOptions(
          batchSize,
          Schedule.of(Schedule.Kind.COSINE, lr, epochs, 0),
          new Sgd(0.9f, false, (float) weightDecay, 0),
          new Augmentation(4, true),
          seed);
    }
  }

  /**
   * @param batch images at once
   * @param runs timed batches of each network
   */
  public record Timing(int batch, int runs) {}

  /** One run of the grid. */
  public record Cell(String criterion, double rate, long seed) {
    /** Name of its file. */
    String name() {
      return String.format(Locale.ROOT, "%s-rate%s-seed%d", criterion, rate, seed);
    }
  }

  /** The file as it is written, where all may be missing. */
  private record Written(
      String model,
      String data,
      List<String> criteria,
      List<Double> rates,
      Integer iterations,
      List<Long> seeds,
      Scope scope,
      Integer samples,
      String pool,
      Pooling.Place features,
      Integer components,
      Integer batchSize,
      WrittenFinetune finetune,
      WrittenTiming latency) {}

  private record WrittenFinetune(
      Integer epochs,
      Integer samples,
      @JsonProperty("lr") Double lr,
      Integer batchSize,
      Double weightDecay) {}

  private record WrittenTiming(Integer batch, Integer runs) {}

  /**
   * @param model in the place of the file's
   * @param data in the place of the file's
   * @throws SecateurException naming the file, the key and what was expected
   */
  public static Plan read(Path file, Optional<String> model, Optional<String> data)
      throws IOException {
    Written w;
    try {
      byte[] bytes = Files.readAllBytes(file);
      JsonNode tree = YAML.readTree(bytes);
      w = tree.isMissingNode() || tree.isNull() ? null : YAML.readValue(bytes, Written.class);
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": " + told(e), e);
    }
    if (w == null) {
      throw new SecateurException(file + ": is empty; expected at least model, data and rates");
    }
    return new Check(file).plan(w, model, data);
  }

  private static String told(JsonProcessingException e) {
    String path =
        e instanceof JsonMappingException m
            ? m.getPath().stream()
                .map(r -> r.getFieldName() == null ? "[" + r.getIndex() + "]" : r.getFieldName())
                .collect(Collectors.joining("."))
            : "";
    String line = e.getLocation() == null ? "" : "line " + e.getLocation().getLineNr() + ": ";
    return line + (path.isEmpty() ? "" : path + ": ") + e.getOriginalMessage();
  }

  /** Everything but the grid: what all cells have in common. */
  ObjectNode settings() {
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("data", data);
    json.put("iterations", iterations);
    json.put("scope", scope.name());
    json.put("samples", samples);
    json.put("pool", pooling.kind().name());
    json.put("features", pooling.place().name());
    json.put("components", components);
    json.put("batchSize", batchSize);
    finetune.ifPresent(f -> json.set("finetune", Json.MAPPER.valueToTree(f)));
    return json;
  }

  /** All cells, those that share scores beside each other. */
  List<Cell> cells() {
    return seeds.stream()
        .flatMap(s -> criteria.stream().flatMap(c -> rates.stream().map(r -> new Cell(c, r, s))))
        .toList();
  }

  /** Checks values, naming the file and the key. */
  private record Check(Path file) {
    Plan plan(Written w, Optional<String> model, Optional<String> data) {
      List<String> criteria = w.criteria() == null ? Criteria.names() : w.criteria();
      for (String c : distinct("criteria", criteria)) {
        require(
            Criteria.names().contains(c),
            "criteria",
            c,
            "one of " + String.join(", ", Criteria.names()));
      }
      List<Double> rates = given("rates", w.rates(), "a list such as [0.1, 0.2]");
      for (Double r : distinct("rates", rates)) {
        require(r != null && r > 0 && r < 1, "rates", r, "numbers between 0 and 1");
      }
      List<Long> seeds = w.seeds() == null ? List.of(1L) : w.seeds();
      distinct("seeds", seeds);
      String pool = w.pool() == null ? "max" : w.pool();
      require(pool.equals("max") || pool.equals("avg"), "pool", pool, "max or avg");
      return new Plan(
          model.orElseGet(() -> given("model", w.model(), "a model file")),
          data.orElseGet(() -> given("data", w.data(), "KIND:DIR")),
          List.copyOf(criteria),
          List.copyOf(rates),
          count("iterations", w.iterations(), 1),
          List.copyOf(seeds),
          w.scope() == null ? Scope.PAPER : w.scope(),
          count("samples", w.samples(), 10_000),
          new Pooling(
              pool.equals("max") ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE,
              w.features() == null ? Pooling.Place.CONVOLUTION : w.features()),
          count("components", w.components(), 2),
          count("batch-size", w.batchSize(), 128),
          Optional.ofNullable(w.finetune()).map(this::finetune),
          Optional.ofNullable(w.latency())
              .map(
                  t ->
                      new Timing(
                          count("latency.batch", t.batch(), 32),
                          count("latency.runs", t.runs(), 30))));
    }

    private Finetune finetune(WrittenFinetune f) {
      double lr = f.lr() == null ? 0.01 : f.lr();
      require(lr > 0 && Double.isFinite(lr), "finetune.lr", lr, "a number greater than 0");
      double decay = f.weightDecay() == null ? 1e-4 : f.weightDecay();
      require(
          decay >= 0 && Double.isFinite(decay),
          "finetune.weight-decay",
          decay,
          "a number of at least 0");
      return new Finetune(
          count("finetune.epochs", f.epochs(), 1),
          count("finetune.samples", f.samples(), Integer.MAX_VALUE),
          lr,
          count("finetune.batch-size", f.batchSize(), 128),
          decay);
    }

    private <T> T given(String key, T value, String expected) {
      if (value == null) {
        throw new SecateurException(file + ": " + key + " is missing; expected " + expected);
      }
      return value;
    }

    private <T> List<T> distinct(String key, List<T> list) {
      require(!list.isEmpty(), key, list, "at least one");
      require(list.stream().noneMatch(Objects::isNull), key, list, "no empty entry");
      require(new HashSet<>(list).size() == list.size(), key, list, "each once");
      return list;
    }

    private int count(String key, Integer value, int usual) {
      require(value == null || value > 0, key, value, "a whole number of at least 1");
      return value == null ? usual : value;
    }

    private void require(boolean holds, String key, Object value, String expected) {
      if (!holds) {
        throw new SecateurException(file + ": " + key + " " + value + ": expected " + expected);
      }
    }
  }
}
