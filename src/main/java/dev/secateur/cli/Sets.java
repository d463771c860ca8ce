package dev.secateur.cli;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The settings that an option sets, by their paths: of a {@link dev.secateur.prune.Recipe}, or of
 * the {@code data}, {@code model} or {@code onnx} file.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.FIELD)
@interface Sets {
  String[] value();
}
