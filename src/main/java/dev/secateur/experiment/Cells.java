package dev.secateur.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.util.Json;
import dev.secateur.util.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The folder of an experiment: settings that all its cells share, and a file for each cell that
 * appears at once or not at all, so that a killed experiment goes on with the cells that are
 * missing and several processes may share it.
 */
final class Cells {
  private final Path directory;

  /**
   * @param settings what all cells have in common, in {@code experiment.json}
   * @throws SecateurException when the directory holds an experiment with other settings
   */
  Cells(Path directory, ObjectNode settings) throws IOException {
    this.directory = directory;
    Path file = directory.resolve("experiment.json");
    if (Files.exists(file)) {
      Settings.requireSame(file, read(file, JsonNode.class), settings, "an experiment");
    } else {
      Json.write(file, settings);
    }
  }

  JsonNode settings() throws IOException {
    return read(directory.resolve("experiment.json"), JsonNode.class);
  }

  private Path file(String cell) {
    return directory.resolve("cells").resolve(cell + ".json");
  }

  boolean has(String cell) {
    return Files.exists(file(cell));
  }

  void put(String cell, Object result) {
    Json.write(file(cell), result);
  }

  /**
   * @throws SecateurException when the file is damaged
   */
  <T> T get(String cell, Class<T> type) throws IOException {
    return read(file(cell), type);
  }

  private static <T> T read(Path file, Class<T> type) throws IOException {
    try {
      return Json.MAPPER.readValue(file.toFile(), type);
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": is damaged; remove it to have it made anew", e);
    }
  }
}
