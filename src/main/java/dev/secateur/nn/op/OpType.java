package dev.secateur.nn.op;

import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * One kind of operation, as files have it: renaming a class or a component changes no file.
 *
 * @param name in files
 * @param type its class
 * @param write puts its attributes
 * @param read makes it of its attributes
 */
public record OpType<T extends Op>(
    String name,
    Class<T> type,
    BiConsumer<T, AttributeWriter> write,
    Function<AttributeReader, T> read) {

  /** One without attributes. */
  static <T extends Op> OpType<T> plain(String name, Class<T> type, T op) {
    return new OpType<>(name, type, (o, to) -> {}, a -> op);
  }

  /** Puts the attributes of an operation of this kind. */
  public void write(Op op, AttributeWriter to) {
    write.accept(type.cast(op), to);
  }
}
