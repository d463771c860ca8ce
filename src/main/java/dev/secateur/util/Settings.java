package dev.secateur.util;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.secateur.SecateurException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;

/** Compares the settings of a piece of work with those it was begun with. */
public final class Settings {
  private Settings() {}

  /**
   * @param file where the earlier settings are, named in the message
   * @param resumption what goes on, the subject of the message's last clause
   * @throws SecateurException naming the first setting that differs
   */
  public static void requireSame(Path file, JsonNode earlier, JsonNode later, String resumption) {
    JsonNode was;
    JsonNode now;
    try {
      was = Json.MAPPER.readTree(earlier.toString()); // numbers as a file gives them
      now = Json.MAPPER.readTree(later.toString());
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
    compare(file, "", was, now, resumption);
  }

  private static void compare(
      Path file, String path, JsonNode earlier, JsonNode now, String resumption) {
    Set<String> keys = new LinkedHashSet<>();
    now.fieldNames().forEachRemaining(keys::add);
    earlier.fieldNames().forEachRemaining(keys::add);
    for (String key : keys) {
      JsonNode was = earlier.path(key);
      JsonNode is = now.path(key);
      if (was.isObject() && is.isObject()) {
        compare(file, path + key + ".", was, is, resumption);
      } else if (!is.equals(was)) {
        throw new SecateurException(
            file
                + ": "
                + path
                + key
                + " was "
                + (was.isMissingNode() ? "not given" : was)
                + ", now it is "
                + (is.isMissingNode() ? "not given" : is)
                + "; "
                + resumption
                + " goes on with the same settings only");
      }
    }
  }
}
