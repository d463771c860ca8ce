package dev.secateur.io;

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
    JsonNode now;
    try {
      now = Json.MAPPER.readTree(later.toString()); // numbers as a file gives them
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
    Set<String> keys = new LinkedHashSet<>();
    now.fieldNames().forEachRemaining(keys::add);
    earlier.fieldNames().forEachRemaining(keys::add);
    for (String key : keys) {
      if (!now.path(key).equals(earlier.path(key))) {
        throw new SecateurException(
            file
                + ": "
                + key
                + " was "
                + (earlier.has(key) ? earlier.get(key) : "not given")
                + ", now it is "
                + (now.has(key) ? now.get(key) : "not given")
                + "; "
                + resumption
                + " goes on with the same settings only");
      }
    }
  }
}
