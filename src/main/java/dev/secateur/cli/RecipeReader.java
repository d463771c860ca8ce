package dev.secateur.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.prune.Recipe;
import dev.secateur.util.Json;
import dev.secateur.util.Numbers;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** Makes a recipe of a command's options, those marked with {@link Sets}. */
final class RecipeReader {
  /** What begins the paths of settings that are no recipe's. */
  private static final Set<String> OTHERS = Set.of("data", "model", "onnx");

  private RecipeReader() {}

  /**
   * @throws ParameterException naming the option whose value cannot be
   */
  static Recipe read(CommandSpec command, Recipe base) {
    ObjectNode overlay = Json.SETTINGS.createObjectNode();
    for (OptionSpec o : command.commandLine().getParseResult().matchedOptions()) {
      ofRecipe(o).forEach(setting -> Recipe.put(overlay, setting, plain(o.getValue())));
    }
    try {
      return base.overlaid(overlay);
    } catch (SettingException e) {
      throw new ParameterException(command.commandLine(), told(command, e));
    }
  }

  /** A message with the option that could help, where there is one. */
  static String told(CommandSpec command, SecateurException e) {
    if (e instanceof SettingException s) {
      return told(command, s);
    }
    String option =
        e.setting()
            .flatMap(
                s -> command.options().stream().filter(o -> settings(o).contains(s)).findFirst())
            .map(o -> " (" + o.longestName() + ")")
            .orElse("");
    return e.getMessage() + option;
  }

  /** A message that names the option which set the value, where one did. */
  private static String told(CommandSpec command, SettingException e) {
    return command.commandLine().getParseResult().matchedOptions().stream()
        .filter(o -> settings(o).stream().anyMatch(s -> (e.path() + ".").startsWith(s + ".")))
        .findFirst()
        .map(o -> o.longestName() + " " + e.problem())
        .orElse(e.getMessage());
  }

  static List<String> settings(OptionSpec o) {
    Sets sets = o.userObject() instanceof Field f ? f.getAnnotation(Sets.class) : null;
    return sets == null ? List.of() : Arrays.asList(sets.value());
  }

  private static Stream<String> ofRecipe(OptionSpec o) {
    return settings(o).stream().filter(s -> !OTHERS.contains(s.replaceFirst("\\..*", "")));
  }

  /**
   * What a recipe has where an option is not given, in words.
   *
   * @param base the recipe's {@link Recipe#tree}
   */
  static Optional<String> usual(OptionSpec o, JsonNode base) {
    return ofRecipe(o)
        .map(s -> base.at("/" + s.replace('.', '/')))
        .filter(v -> v.isValueNode() && !v.isNull() && !v.isBoolean())
        .map(v -> v.isDouble() ? Numbers.plain(v.asDouble()) : v.asText())
        .findFirst();
  }

  /** Entries of a map, as a map. */
  private static Object plain(Object value) {
    if (value instanceof List<?> list && !list.isEmpty() && list.get(0) instanceof Map.Entry) {
      Map<Object, Object> map = new LinkedHashMap<>();
      for (Object e : list) {
        map.remove(((Map.Entry<?, ?>) e).getKey()); // the last that fits counts
        map.put(((Map.Entry<?, ?>) e).getKey(), ((Map.Entry<?, ?>) e).getValue());
      }
      return map;
    }
    return value;
  }
}
