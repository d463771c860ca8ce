package dev.secateur.io.pytorch;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.razorvine.pickle.IObjectConstructor;
import net.razorvine.pickle.PickleException;
import net.razorvine.pickle.Unpickler;

/**
 * Reads the pickles of {@code torch.save} and nothing else: a global outside a short allow-list
 * ends the reading, and opcodes that make or change objects by name are refused. No code of the
 * file's choosing runs.
 */
final class TensorUnpickler extends Unpickler {
  private static final int GLOBAL = 'c';
  private static final int STACK_GLOBAL = 0x93;
  private static final int BUILD = 'b';
  private static final List<Integer> REFUSED =
      List.of((int) 'i', (int) 'o', 0x81, 0x92, 0x82, 0x83, 0x84, 0x97, 0x98);

  /** A storage as the pickle names it. */
  record StorageReference(String type, String key, long elements) {}

  /** A tensor as a strided view of a storage. */
  record StridedTensor(StorageReference storage, long offset, long[] size, long[] stride) {}

  private record StorageType(String name) implements IObjectConstructor {
    @Override
    public Object construct(Object[] args) {
      throw new PickleException("refuses to construct " + name);
    }
  }

  /** The pickle names something that is not on the allow-list. */
  static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refused(String what) {
      super(what);
    }
  }

  @Override
  protected Object dispatch(short key) throws PickleException, IOException {
    if (key == GLOBAL) {
      String module = line();
      stack.add(global(module, line()));
      return NO_RETURN_VALUE;
    }
    if (key == STACK_GLOBAL) {
      String name = String.valueOf(stack.pop());
      stack.add(global(String.valueOf(stack.pop()), name));
      return NO_RETURN_VALUE;
    }
    if (key == BUILD) {
      stack.pop(); // attributes of a state dict (_metadata): versions of layers, not needed
      return NO_RETURN_VALUE;
    }
    if (REFUSED.contains((int) key)) {
      throw new Refused("pickle opcode " + key);
    }
    return super.dispatch(key);
  }

  private String line() throws IOException {
    StringBuilder out = new StringBuilder();
    for (int c = input.read(); c != '\n'; c = input.read()) {
      if (c < 0 || out.length() > 200) {
        throw new PickleException("a name does not end");
      }
      out.append((char) c);
    }
    return out.toString();
  }

  private static IObjectConstructor global(String module, String name) {
    String full = module + "." + name;
    return switch (full) {
      case "collections.OrderedDict" -> TensorUnpickler::orderedDict;
      case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2" ->
          TensorUnpickler::tensor;
      case "torch._utils._rebuild_parameter" -> args -> args[0];
      case "torch.Size" -> args -> args[0];
      case "torch.FloatStorage",
              "torch.DoubleStorage",
              "torch.HalfStorage",
              "torch.BFloat16Storage",
              "torch.LongStorage",
              "torch.IntStorage" ->
          new StorageType(name);
      default -> throw new Refused(full);
    };
  }

  private static Object orderedDict(Object[] args) {
    Map<Object, Object> out = new LinkedHashMap<>();
    if (args.length > 0) {
      for (Object pair : (Iterable<?>) args[0]) {
        Object[] kv = pair instanceof List<?> l ? l.toArray() : (Object[]) pair;
        out.put(kv[0], kv[1]);
      }
    }
    return out;
  }

  private static Object tensor(Object[] args) {
    return new StridedTensor(
        (StorageReference) args[0],
        ((Number) args[1]).longValue(),
        longs((Object[]) args[2]),
        longs((Object[]) args[3]));
  }

  private static long[] longs(Object[] values) {
    long[] out = new long[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = ((Number) values[i]).longValue();
    }
    return out;
  }

  @Override
  protected Object persistentLoad(Object id) {
    Object[] a = (Object[]) id;
    if (a.length < 5 || !"storage".equals(a[0])) {
      throw new PickleException("an unknown persistent id");
    }
    return new StorageReference(
        ((StorageType) a[1]).name(), String.valueOf(a[2]), ((Number) a[4]).longValue());
  }
}
