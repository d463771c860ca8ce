package dev.secateur.util;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.cfg.MapperBuilder;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import java.nio.file.Path;
import java.util.stream.Collectors;

/** The JSON and YAML mappers. */
public final class Json {
  /** Of results: names as in Java. */
  public static final ObjectMapper MAPPER =
      new ObjectMapper()
          .registerModule(new Jdk8Module())
          .enable(SerializationFeature.INDENT_OUTPUT)
          .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES);

  /** Of settings that people write: kebab-case, choices in lower case, unknown names refused. */
  public static final ObjectMapper SETTINGS = settings(JsonMapper.builder());

  private Json() {}

  /** {@link #SETTINGS} as YAML; made when first asked for, as most commands read none. */
  public static ObjectMapper yaml() {
    return Yaml.MAPPER;
  }

  private static final class Yaml {
    static final ObjectMapper MAPPER =
        settings(
            YAMLMapper.builder()
                .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
                .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER));
  }

  private static <M extends ObjectMapper, B extends MapperBuilder<M, B>> M settings(
      MapperBuilder<M, B> builder) {
    return builder
        .addModule(new Jdk8Module())
        .enable(SerializationFeature.INDENT_OUTPUT)
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
        .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
        // nothing between two commas is no number, and no null either
        .withCoercionConfigDefaults(
            c -> c.setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail))
        .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
        .build();
  }

  /** A parser's complaint with the line and the name it is about. */
  public static String told(JsonProcessingException e) {
    String path =
        e instanceof JsonMappingException m
            ? m.getPath().stream()
                .map(r -> r.getFieldName() == null ? "[" + r.getIndex() + "]" : r.getFieldName())
                .collect(Collectors.joining("."))
            : "";
    String line = e.getLocation() == null ? "" : "line " + e.getLocation().getLineNr() + ": ";
    return line + (path.isEmpty() ? "" : path + ": ") + e.getOriginalMessage();
  }

  /**
   * Writes a value to a file, whole or not at all.
   *
   * @throws dev.secateur.SecateurException when writing fails
   */
  public static void write(Path file, Object value) {
    AtomicFile.write(file, out -> out.write(MAPPER.writeValueAsBytes(value)));
  }
}
