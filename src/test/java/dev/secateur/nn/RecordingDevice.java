package dev.secateur.nn;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.ConvolutionKernels;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.Buffer;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A device that computes nothing: its kernels write down, when they are launched, what they would
 * do: the operation and its operands. Layouts and types are the CPU's; there is no memory. An
 * operation is told by its method's name, operands of records one by one, so that it does not
 * matter in which interface or record they are.
 */
final class RecordingDevice {
  /** Operations whose name is short for where they are. */
  private static final Map<String, String> NAMES =
      Map.of(
          "Convolutions.forward", "convolution",
          "Convolutions.backwardData", "convolutionBackwardData",
          "Convolutions.backwardWeights", "convolutionBackwardWeights",
          "Linear.forward", "linear",
          "Linear.backwardData", "linearBackwardData",
          "Linear.backwardWeights", "linearBackwardWeights",
          "Norms.batchNorm", "batchNormInference",
          "Pools.forward", "pool",
          "Pools.training", "poolTraining");

  private final List<String> launches = new ArrayList<>();
  private final Map<Buffer, String> names = new LinkedHashMap<>();
  private final Map<Long, float[]> zeros = new HashMap<>();

  private int buffers;

  private record Memory(long bytes, int number) implements Buffer {}

  Device device() {
    return (Device) room(Device.class);
  }

  /** What was launched since the last call, in order. Buffers are numbered as they appear. */
  List<String> take() {
    List<String> out = List.copyOf(launches);
    launches.clear();
    names.clear();
    return out;
  }

  private Object room(Class<?> type) {
    return Proxy.newProxyInstance(
        type.getClassLoader(),
        new Class<?>[] {type},
        (proxy, m, args) -> call(type, proxy, m, args));
  }

  private Object call(Class<?> room, Object proxy, Method m, Object[] args) throws Throwable {
    if (m.getReturnType() == Kernel.class && !m.getName().equals("sequence")) {
      return kernel(operation(room, m), args);
    }
    if (m.getReturnType() == TrainingKernels.class) {
      String name = operation(room, m);
      return new TrainingKernels(kernel(name + ".forward", args), kernel(name + ".backward", args));
    }
    if (m.getReturnType() == ConvolutionKernels.class) {
      return InvocationHandler.invokeDefault(proxy, m, args); // of operations that are written down
    }
    return switch (m.getName()) {
      case "toString", "name" -> "cpu";
      case "hashCode" -> 1;
      case "activationLayout" -> Layout.CHANNELS_LAST;
      case "activationType" -> DType.F32;
      case "weightLayout" -> Layout.PLAIN;
      case "mixedPrecision" -> Optional.empty();
      case "channelMultiple" -> 1;
      case "mostElements" -> Long.MAX_VALUE;
      case "contract" -> new Contract(DType.F32, Layout.CHANNELS_LAST, Layout.PLAIN, 1);
      case "newArena" -> arena();
      case "downloadFloats" ->
          zeros.computeIfAbsent(((Tensor) args[0]).elements(), n -> new float[n.intValue()]);
      case "sequence" -> Kernel.each(kernels(args[0]));
      case "upload", "synchronize", "close", "fellBack" -> null;
      default -> {
        if (m.getReturnType().isInterface()) {
          yield room(m.getReturnType());
        }
        throw new UnsupportedOperationException(m.toString());
      }
    };
  }

  private static List<Kernel> kernels(Object list) {
    return ((List<?>) list).stream().map(k -> (Kernel) k).toList();
  }

  private static String operation(Class<?> room, Method m) {
    String name = room.getSimpleName() + '.' + m.getName();
    return NAMES.getOrDefault(name, m.getName());
  }

  private Kernel kernel(String operation, Object[] operands) {
    return () -> {
      StringBuilder line = new StringBuilder(operation);
      for (Object o : operands) {
        write(o, line);
      }
      launches.add(line.toString());
    };
  }

  private void write(Object o, StringBuilder to) {
    if (o instanceof Arena) {
      return; // where state is kept
    }
    if (o instanceof Tensor t) {
      String buffer = names.computeIfAbsent(t.buffer(), b -> "#" + names.size());
      String offset = t.byteOffset() == 0 ? "" : "+" + t.byteOffset();
      to.append(' ').append(buffer).append(offset).append(':').append(t);
    } else if (o instanceof Optional<?> maybe) {
      write(maybe.isPresent() ? maybe.get() : "-", to);
    } else if (o instanceof List<?> list) {
      list.forEach(e -> write(e, to));
    } else if (o instanceof Record r) {
      for (RecordComponent c : r.getClass().getRecordComponents()) {
        try {
          write(c.getAccessor().invoke(r), to);
        } catch (ReflectiveOperationException e) {
          throw new AssertionError(e);
        }
      }
    } else {
      to.append(' ').append(o);
    }
  }

  private Arena arena() {
    return new Arena() {
      private long bytes;

      @Override
      public Tensor allocate(Shape shape, DType dtype, Layout layout) {
        long size = shape.elements() * dtype.bytes();
        bytes += size;
        return new Tensor(new Memory(size, buffers++), 0, shape, dtype, layout);
      }

      @Override
      public long bytes() {
        return bytes;
      }

      @Override
      public void close() {}
    };
  }
}
