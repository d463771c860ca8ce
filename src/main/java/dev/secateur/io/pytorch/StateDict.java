package dev.secateur.io.pytorch;

import dev.secateur.SecateurException;
import dev.secateur.io.Half;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import net.razorvine.pickle.PickleException;

/** Reads state dicts written by {@code torch.save}, zip (since 1.6) and legacy. */
public final class StateDict {
  /** Under what names training programs keep the state dict among other things. */
  private static final List<String> WRAPPERS =
      List.of("state_dict", "model", "model_state_dict", "net", "network", "weights");

  /** What wrappers of modules (data parallel, torch.compile, Lightning) put before all names. */
  private static final List<String> PREFIXES = List.of("module.", "_orig_mod.", "model.", "net.");

  private StateDict() {}

  /**
   * The file's tensors by name, as float, row-major, without prefixes that all names have.
   *
   * @throws SecateurException for anything but a state dict, naming the file
   */
  public static Map<String, HostTensor> read(Path file) throws IOException {
    try {
      byte[] head;
      try (InputStream in = Files.newInputStream(file)) {
        head = in.readNBytes(2);
      }
      boolean zip = head.length == 2 && head[0] == 'P' && head[1] == 'K';
      return zip ? readZip(file) : readLegacy(file);
    } catch (TensorUnpickler.Refused e) {
      throw new SecateurException(
          file
              + ": refuses to load "
              + printable(e)
              + "; only tensors are read from pickles. Save the model's state_dict() alone, or export"
              + " it to ONNX (torch.onnx.export(torch.load(FILE).eval(), torch.zeros(1, 3, 224, 224),"
              + " \"model.onnx\"))");
    } catch (EOFException e) {
      throw new SecateurException(file + ": ends too early; expected a whole PyTorch file", e);
    } catch (ZipException | PickleException | IllegalArgumentException e) {
      throw new SecateurException(file + ": is not a PyTorch state dict (" + printable(e) + ")", e);
    } catch (ClassCastException
        | IndexOutOfBoundsException
        | NegativeArraySizeException
        | ArithmeticException
        | NullPointerException e) {
      // what these say is of Java's classes, not of the file
      throw new SecateurException(
          file + ": is not a PyTorch state dict (what it holds is not put together as one)", e);
    } catch (IOException e) {
      if (e instanceof FileSystemException) {
        throw e;
      }
      throw new SecateurException(file + ": is damaged or cut off (" + printable(e) + ")", e);
    }
  }

  /** Libraries quote what they read, which may be anything. */
  private static String printable(Exception e) {
    String text = String.valueOf(e.getMessage()).replaceAll("[^\\x20-\\x7e]+", "?");
    return text.length() > 120 ? text.substring(0, 120) + "..." : text;
  }

  private static Map<String, HostTensor> readZip(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile())) {
      ZipEntry pickle =
          zip.stream()
              .filter(e -> e.getName().endsWith("/data.pkl"))
              .findFirst()
              .orElseThrow(() -> new PickleException("it has no data.pkl"));
      String folder = pickle.getName().substring(0, pickle.getName().lastIndexOf('/') + 1);
      Object root;
      try (InputStream in = new BufferedInputStream(zip.getInputStream(pickle))) {
        root = new TensorUnpickler().load(in);
      }
      Map<String, TensorUnpickler.StridedTensor> tensors = tensors(root);
      Map<String, float[]> storages = new HashMap<>();
      for (TensorUnpickler.StridedTensor t : tensors.values()) {
        if (!storages.containsKey(t.storage().key())) {
          ZipEntry e = zip.getEntry(folder + "data/" + t.storage().key());
          if (e == null) {
            throw new PickleException("storage " + t.storage().key() + " is missing");
          }
          try (InputStream in = zip.getInputStream(e)) {
            storages.put(t.storage().key(), floats(in, t.storage(), file));
          }
        }
      }
      return materialise(tensors, storages);
    }
  }

  private static Map<String, HostTensor> readLegacy(Path file) throws IOException {
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16))) {
      for (int i = 0; i < 3; i++) {
        new TensorUnpickler().load(in); // magic number, protocol version, system
      }
      Map<String, TensorUnpickler.StridedTensor> tensors = tensors(new TensorUnpickler().load(in));
      Map<String, TensorUnpickler.StorageReference> references = new HashMap<>();
      tensors.values().forEach(t -> references.put(t.storage().key(), t.storage()));
      Map<String, float[]> storages = new HashMap<>();
      for (Object key : (List<?>) new TensorUnpickler().load(in)) {
        long elements = Long.reverseBytes(in.readLong());
        TensorUnpickler.StorageReference r = references.get(String.valueOf(key));
        if (r == null || r.elements() != elements) {
          throw new PickleException("storage " + key + " does not have the promised size");
        }
        storages.put(r.key(), floats(in, r, file));
      }
      return materialise(tensors, storages);
    }
  }

  private static Map<String, TensorUnpickler.StridedTensor> tensors(Object root) {
    if (!(root instanceof Map<?, ?> map)) {
      throw new PickleException("it holds no dict of tensors");
    }
    for (String wrapper : WRAPPERS) {
      if (map.get(wrapper) instanceof Map<?, ?> inner) {
        return tensors(inner);
      }
    }
    Map<String, TensorUnpickler.StridedTensor> out = new LinkedHashMap<>();
    map.forEach(
        (k, v) -> {
          if (v instanceof TensorUnpickler.StridedTensor t) {
            out.put(String.valueOf(k), t);
          }
        });
    if (out.isEmpty()) {
      throw new PickleException("it holds no dict of tensors");
    }
    return bare(out);
  }

  private static Map<String, TensorUnpickler.StridedTensor> bare(
      Map<String, TensorUnpickler.StridedTensor> tensors) {
    for (String prefix : PREFIXES) {
      if (tensors.keySet().stream().allMatch(k -> k.startsWith(prefix))) {
        Map<String, TensorUnpickler.StridedTensor> out = new LinkedHashMap<>();
        tensors.forEach((k, t) -> out.put(k.substring(prefix.length()), t));
        return bare(out);
      }
    }
    return tensors;
  }

  private static float[] floats(InputStream in, TensorUnpickler.StorageReference r, Path file)
      throws IOException {
    int width =
        switch (r.type()) {
          case "HalfStorage", "BFloat16Storage" -> 2;
          case "FloatStorage", "IntStorage" -> 4;
          default -> 8;
        };
    if (r.elements() < 0 || r.elements() * width > Files.size(file)) {
      throw new PickleException("storage " + r.key() + " is larger than the file");
    }
    byte[] raw = in.readNBytes(Math.toIntExact(r.elements() * width));
    if (raw.length != r.elements() * width) {
      throw new EOFException();
    }
    ByteBuffer b = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    float[] out = new float[(int) r.elements()];
    for (int i = 0; i < out.length; i++) {
      out[i] =
          switch (r.type()) {
            case "FloatStorage" -> b.getFloat(4 * i);
            case "DoubleStorage" -> (float) b.getDouble(8 * i);
            case "IntStorage" -> b.getInt(4 * i);
            case "LongStorage" -> b.getLong(8 * i);
            case "BFloat16Storage" -> Float.intBitsToFloat(b.getShort(2 * i) << 16);
            default -> Half.toFloat(b.getShort(2 * i));
          };
    }
    return out;
  }

  private static Map<String, HostTensor> materialise(
      Map<String, TensorUnpickler.StridedTensor> tensors, Map<String, float[]> storages) {
    Map<String, HostTensor> out = new LinkedHashMap<>();
    tensors.forEach(
        (name, t) -> {
          long[] size = t.size().length == 0 ? new long[] {1} : t.size();
          Shape shape = Shape.of(size);
          float[] storage = storages.get(t.storage().key());
          if (storage == null || shape.elements() > storage.length) {
            throw new PickleException("the storage of " + name + " is missing or too small");
          }
          float[] data = new float[(int) shape.elements()];
          for (int i = 0; i < data.length; i++) {
            long rest = i;
            long at = t.offset();
            for (int d = t.size().length - 1; d >= 0; d--) {
              at += rest % size[d] * t.stride()[d];
              rest /= size[d];
            }
            data[i] = storage[Math.toIntExact(at)];
          }
          out.put(name, new HostTensor(shape, data));
        });
    return out;
  }
}
