package dev.secateur.nn.op;

import java.util.List;
import java.util.function.Function;

/**
 * The attributes of an operation in a file, each by its name. All methods throw
 * IllegalArgumentException, saying what is wrong, where it is missing or of another type.
 */
public interface AttributeReader {
  int whole(String name);

  /**
   * @param otherwise where it is missing
   */
  int whole(String name, int otherwise);

  float number(String name);

  boolean flag(String name);

  List<Integer> wholes(String name);

  /** One of {@code all}, which are written as {@code names} says. */
  <E> E choice(String name, E[] all, Function<E, String> names);

  /** An object, all of whose fields have to be read. */
  <T> T object(String name, Function<AttributeReader, T> make);
}
