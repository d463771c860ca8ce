package dev.secateur.nn.op;

import java.util.List;
import java.util.function.Consumer;

/** Takes the attributes of an operation for a file. */
public interface AttributeWriter {
  AttributeWriter put(String name, int value);

  AttributeWriter put(String name, float value);

  AttributeWriter put(String name, boolean value);

  AttributeWriter put(String name, String value);

  AttributeWriter put(String name, List<Integer> values);

  AttributeWriter object(String name, Consumer<AttributeWriter> fields);
}
