package dev.secateur.io;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import java.nio.file.Path;

/** The one JSON mapper. */
public final class Json {
  public static final ObjectMapper MAPPER =
      new ObjectMapper()
          .registerModule(new Jdk8Module())
          .enable(SerializationFeature.INDENT_OUTPUT)
          .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES);

  private Json() {}

  /**
   * Writes a value to a file, whole or not at all.
   *
   * @throws dev.secateur.SecateurException when writing fails
   */
  public static void write(Path file, Object value) {
    AtomicFile.write(file, out -> out.write(MAPPER.writeValueAsBytes(value)));
  }
}
