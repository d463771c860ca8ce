package dev.secateur.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.prune.Recipe;
import dev.secateur.util.Json;
import dev.secateur.util.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * {@code run.json}: what the run is and, once it has ended, what came of it.
 *
 * @param recipe resolved
 */
public record RunRecord(RunInputs inputs, Recipe recipe, Optional<Outcome> outcome) {

  /**
   * How a run ended.
   *
   * @param stoppedBy settings of the recipe's {@code stop}, separated by commas
   * @param chosenIteration the one that is the result
   * @param device in words
   * @param libraries and their versions
   * @param environment Java and the system
   */
  public record Outcome(
      String stoppedBy,
      int chosenIteration,
      String device,
      Map<String, String> libraries,
      Map<String, String> environment) {

    static Outcome of(String stoppedBy, int chosen, Device device) {
      return new Outcome(
          stoppedBy, chosen, device.description(), device.versions(), surroundings());
    }

    private static Map<String, String> surroundings() {
      Map<String, String> out = new LinkedHashMap<>();
      out.put("java", System.getProperty("java.runtime.version"));
      out.put("java-vendor", System.getProperty("java.vendor"));
      out.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
      out.put("architecture", System.getProperty("os.arch"));
      out.put("processors", Integer.toString(Runtime.getRuntime().availableProcessors()));
      return out;
    }
  }

  /**
   * Reads run.json, also of earlier versions.
   *
   * @throws SecateurException for a file that is damaged
   */
  static RunRecord read(Path file) {
    try {
      JsonNode json = Json.SETTINGS.readTree(file.toFile());
      if (json.has("config")) {
        return EarlierRun.read(json);
      }
      if (!json.path("inputs").isObject() || !json.path("recipe").isObject()) {
        throw new SecateurException(file + ": is damaged: expected objects 'inputs' and 'recipe'");
      }
      return of(json);
    } catch (IOException e) {
      throw damaged(file, e);
    }
  }

  /** The record whose {@link #tree} this is. */
  static RunRecord of(JsonNode json) throws JsonProcessingException {
    // a run from before there was a choice says nothing about it
    return new RunRecord(
        Json.SETTINGS.treeToValue(json.path("inputs"), RunInputs.class),
        EarlierRun.BASE.overlaid(json.path("recipe")),
        json.has("outcome")
            ? Optional.of(Json.SETTINGS.treeToValue(json.get("outcome"), Outcome.class))
            : Optional.empty());
  }

  static SecateurException damaged(Path file, IOException e) {
    String reason =
        e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
    return new SecateurException(file + ": is damaged: " + reason, e);
  }

  /** As JSON. */
  public ObjectNode tree() {
    ObjectNode json = tree(inputs);
    outcome.ifPresent(o -> json.set("outcome", Json.SETTINGS.valueToTree(o)));
    return json;
  }

  /** What a run that goes on must agree on. */
  ObjectNode identity() {
    return tree(inputs.comparable());
  }

  private ObjectNode tree(RunInputs of) {
    ObjectNode json = Json.SETTINGS.createObjectNode();
    json.set("inputs", Json.SETTINGS.valueToTree(of));
    json.set("recipe", recipe.tree());
    return json;
  }

  /**
   * @param file of this record, named in the message
   * @throws SecateurException naming the first setting that differs
   */
  void requireSame(Path file, RunRecord now) {
    Settings.requireSame(file, identity(), now.identity(), "a run");
  }
}
