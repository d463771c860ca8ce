package dev.secateur.io.onnx;

import ai.onnx.proto.OnnxMl;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import dev.secateur.SecateurException;
import dev.secateur.io.Half;
import dev.secateur.io.Text;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.function.Consumer;

/**
 * An ONNX file and the numbers in its tensors. The file is mapped, not read; tensors are read one
 * by one when asked for, those in external files from inside the model's folder only. Every size is
 * checked against the bytes that are there before memory is taken.
 */
final class OnnxFile {
  private static final int CHUNK = 1 << 20;

  private final Path path;
  private final ByteBuffer bytes;
  private final OnnxMl.ModelProto model;

  private OnnxFile(Path path, ByteBuffer bytes, OnnxMl.ModelProto model) {
    this.path = path;
    this.bytes = bytes;
    this.model = model;
  }

  /**
   * @throws SecateurException when it is no ONNX model
   */
  static OnnxFile open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new SecateurException(path + " is no regular file; expected an ONNX model");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      if (channel.size() > Integer.MAX_VALUE) {
        throw new SecateurException(
            path
                + " has "
                + channel.size()
                + " bytes; an ONNX file holds at most 2 GB, larger models keep their weights in"
                + " external data files");
      }
      ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      CodedInputStream in = UnsafeByteOperations.unsafeWrap(bytes.duplicate()).newCodedInput();
      in.enableAliasing(true);
      OnnxMl.ModelProto model = OnnxMl.ModelProto.parseFrom(in);
      if (!model.hasGraph() || model.getGraph().getNodeCount() == 0) {
        throw new SecateurException(path + " is no ONNX model: it holds no graph");
      }
      return new OnnxFile(path, bytes, model);
    } catch (InvalidProtocolBufferException e) {
      throw new SecateurException(
          path + " is no whole ONNX model (" + e.getMessage().replaceAll("\\s+", " ") + ")", e);
    }
  }

  OnnxMl.ModelProto model() {
    return model;
  }

  /** SHA-256 of the file, in hexadecimal. */
  String sha256() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(bytes.duplicate());
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The numbers of a tensor.
   *
   * @throws IllegalArgumentException when they do not fit its extents, with what is wrong
   */
  Constant read(TensorProto t) throws IOException {
    long[] dims = t.getDimsList().stream().mapToLong(Long::longValue).toArray();
    long size = size(t);
    TensorProto.DataType type = type(t);
    int width = width(type);
    boolean external = t.getDataLocation() == TensorProto.DataLocation.EXTERNAL;
    if (external) {
      return external(t, type, dims, size, width);
    }
    if (t.hasRawData()) {
      ByteString raw = t.getRawData();
      check(t, raw.size(), Math.multiplyExact(size, width), "bytes");
      Sink sink = new Sink(type, (int) size);
      sink.take(raw.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN));
      return sink.constant(dims);
    }
    return typed(t, type, dims, size);
  }

  /** How many numbers a tensor says that it has. */
  private static long size(TensorProto t) {
    long size = 1;
    for (long d : t.getDimsList()) {
      if (d < 0) {
        throw new IllegalArgumentException(
            "tensor " + Text.name(t.getName()) + " has an extent " + d);
      }
      size = Math.multiplyExact(size, d);
    }
    return size;
  }

  private static TensorProto.DataType type(TensorProto t) {
    TensorProto.DataType type = TensorProto.DataType.forNumber(t.getDataType());
    if (type == null) {
      throw new IllegalArgumentException(
          "tensor " + Text.name(t.getName()) + " has the unknown data type " + t.getDataType());
    }
    return type;
  }

  private static void check(TensorProto t, long got, long expected, String what) {
    if (got != expected) {
      throw new IllegalArgumentException(
          "tensor "
              + Text.name(t.getName())
              + " has "
              + got
              + " "
              + what
              + "; its extents "
              + Text.dims(t.getDimsList().stream().mapToLong(Long::longValue).toArray())
              + " need "
              + expected);
    }
  }

  private static int width(TensorProto.DataType type) {
    return switch (type) {
      case FLOAT, INT32, UINT32 -> 4;
      case DOUBLE, INT64, UINT64 -> 8;
      case FLOAT16, BFLOAT16, INT16, UINT16 -> 2;
      case INT8, UINT8, BOOL -> 1;
      default -> throw new IllegalArgumentException("tensors of type " + type + " are not read");
    };
  }

  private static Constant typed(TensorProto t, TensorProto.DataType type, long[] dims, long size) {
    int count =
        switch (type) {
          case FLOAT -> t.getFloatDataCount();
          case DOUBLE -> t.getDoubleDataCount();
          case INT64 -> t.getInt64DataCount();
          case UINT32, UINT64 -> t.getUint64DataCount();
          default -> t.getInt32DataCount();
        };
    check(t, count, size, "numbers");
    int n = (int) size;
    switch (type) {
      case FLOAT, DOUBLE, FLOAT16, BFLOAT16 -> {
        float[] f = new float[n];
        for (int i = 0; i < n; i++) {
          f[i] =
              switch (type) {
                case FLOAT -> t.getFloatData(i);
                case DOUBLE -> (float) t.getDoubleData(i);
                case FLOAT16 -> Half.toFloat((short) t.getInt32Data(i));
                default -> Float.intBitsToFloat(t.getInt32Data(i) << 16);
              };
        }
        return Constant.of(dims, f);
      }
      default -> {
        long[] l = new long[n];
        for (int i = 0; i < n; i++) {
          l[i] =
              switch (type) {
                case INT64 -> t.getInt64Data(i);
                case UINT32, UINT64 -> t.getUint64Data(i);
                default -> t.getInt32Data(i);
              };
        }
        return Constant.of(dims, l);
      }
    }
  }

  /** A tensor of an external file as one that holds its bytes itself. */
  TensorProto inside(TensorProto t) throws IOException {
    long need = Math.multiplyExact(size(t), width(type(t)));
    ByteString.Output bytes = ByteString.newOutput();
    external(
        t,
        need,
        chunk -> {
          byte[] part = new byte[chunk.remaining()];
          chunk.get(part);
          bytes.write(part, 0, part.length);
        });
    return t.toBuilder()
        .clearExternalData()
        .clearDataLocation()
        .setRawData(bytes.toByteString())
        .build();
  }

  // ---- external data ---------------------------------------------------------------------------

  private Constant external(
      TensorProto t, TensorProto.DataType type, long[] dims, long size, int width)
      throws IOException {
    Sink sink = new Sink(type, Math.toIntExact(size));
    external(t, Math.multiplyExact(size, width), sink::take);
    return sink.constant(dims);
  }

  /** Hands the bytes of a tensor in another file on, part by part. */
  private void external(TensorProto t, long need, Consumer<ByteBuffer> to) throws IOException {
    Map<String, String> where = new HashMap<>();
    t.getExternalDataList().forEach(e -> where.put(e.getKey(), e.getValue()));
    Path file = inside(t, where.getOrDefault("location", ""));
    long offset = number(t, where, "offset", 0);
    long length = number(t, where, "length", need);
    check(t, length, need, "bytes");
    try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
      if (offset > in.size() || need > in.size() - offset) {
        throw new IllegalArgumentException(
            "tensor "
                + Text.name(t.getName())
                + " needs bytes "
                + offset
                + " to "
                + (offset + need)
                + " of "
                + file
                + ", which has "
                + in.size());
      }
      ByteBuffer chunk =
          ByteBuffer.allocate((int) Math.min(Math.max(need, 1), CHUNK))
              .order(ByteOrder.LITTLE_ENDIAN);
      for (long at = 0; at < need; ) {
        chunk.clear().limit((int) Math.min(CHUNK, need - at));
        while (chunk.hasRemaining() && in.read(chunk, offset + at + chunk.position()) > 0) {}
        if (chunk.hasRemaining()) {
          throw new IOException(file + ": ended while it was read");
        }
        at += chunk.flip().limit();
        to.accept(chunk);
      }
    }
  }

  private static long number(TensorProto t, Map<String, String> where, String key, long otherwise) {
    String v = where.get(key);
    if (v == null || v.isEmpty()) {
      return otherwise;
    }
    if (!v.matches("\\d{1,18}")) {
      throw new IllegalArgumentException(
          "tensor " + Text.name(t.getName()) + " has the external " + key + " " + Text.name(v));
    }
    return Long.parseLong(v);
  }

  /** The external file, if it lies inside the model's folder once links are followed. */
  private Path inside(TensorProto t, String location) throws IOException {
    String refused =
        "tensor "
            + Text.name(t.getName())
            + " lies in the external file "
            + Text.name(location)
            + ", which is ";
    Path folder = path.toAbsolutePath().getParent().toRealPath();
    Path file;
    try {
      Path relative = Path.of(location);
      if (location.isEmpty() || relative.isAbsolute()) {
        throw new IllegalArgumentException(refused + "no path inside the model's folder");
      }
      for (Path part : relative) {
        if (part.toString().equals("..")) {
          throw new IllegalArgumentException(refused + "outside the model's folder");
        }
      }
      file = folder.resolve(relative);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException(refused + "no path", e);
    }
    if (!Files.exists(file)) {
      throw new IllegalArgumentException(refused + "missing beside " + path.getFileName());
    }
    Path real = file.toRealPath();
    if (!real.startsWith(folder) || !Files.isRegularFile(real)) {
      throw new IllegalArgumentException(refused + "no file inside the model's folder");
    }
    return real;
  }

  /** Numbers of any type, little-endian, as floats or longs. */
  private static final class Sink {
    private final TensorProto.DataType type;
    private final float[] floats;
    private final long[] longs;
    private final boolean whole;
    private int at;

    Sink(TensorProto.DataType type, int size) {
      this.type = type;
      whole =
          switch (type) {
            case FLOAT, DOUBLE, FLOAT16, BFLOAT16 -> false;
            default -> true;
          };
      floats = new float[whole ? 0 : size];
      longs = new long[whole ? size : 0];
    }

    void take(ByteBuffer b) {
      if (type == TensorProto.DataType.FLOAT) {
        int n = b.remaining() / 4;
        b.asFloatBuffer().get(floats, at, n);
        at += n;
        return;
      }
      while (b.hasRemaining()) {
        switch (type) {
          case DOUBLE -> floats[at++] = (float) b.getDouble();
          case FLOAT16 -> floats[at++] = Half.toFloat(b.getShort());
          case BFLOAT16 -> floats[at++] = Float.intBitsToFloat(b.getShort() << 16);
          case INT64, UINT64 -> longs[at++] = b.getLong();
          case INT32 -> longs[at++] = b.getInt();
          case UINT32 -> longs[at++] = b.getInt() & 0xffffffffL;
          case INT16 -> longs[at++] = b.getShort();
          case UINT16 -> longs[at++] = b.getShort() & 0xffff;
          case INT8 -> longs[at++] = b.get();
          default -> longs[at++] = b.get() & 0xff;
        }
      }
    }

    Constant constant(long[] dims) {
      return new Constant(dims, floats, longs, whole);
    }
  }
}
