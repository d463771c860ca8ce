package dev.secateur.bench;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.secateur.SecateurException;
import dev.secateur.io.Half;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.tensor.Shape;
import dev.secateur.util.Cleanup;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A network with all that is carried along, in ONNX Runtime on the CPU: for numbers that its layers
 * alone do not give.
 */
public final class WholeNetwork implements AutoCloseable {
  /** Images at once: outputs may be large, and come to the host. */
  public static final int BATCH = 16;

  private final OrtSession session;
  private final Cleanup closers = new Cleanup();
  private final String input;
  private final OnnxJavaType type;
  private final long[] shape;
  private final boolean channelsLast;
  private final boolean outputLast;
  private final Shape image;
  private final int batch;
  private final ByteBuffer data;
  private final float[] mean;
  private final float[] std;

  /**
   * An output of a batch.
   *
   * @param shape (N, ...)
   * @param whole whether it holds whole numbers, such as classes
   */
  public record Output(String name, long[] shape, double[] values, boolean whole) {
    /** (N,C,H,W) of (N,H,W,C). */
    private Output channelsFirst() {
      int c = (int) shape[3];
      int places = (int) (shape[1] * shape[2]);
      double[] turned = new double[values.length];
      for (int i = 0; i < turned.length; i++) {
        int at = i / c % places;
        turned[(i / c / places * c + i % c) * places + at] = values[i];
      }
      return new Output(name, new long[] {shape[0], c, shape[1], shape[2]}, turned, whole);
    }

    /** Values of one image. */
    int each() {
      return Math.toIntExact(values.length / Math.max(1, shape[0]));
    }
  }

  /**
   * @param batch images at once, where the network takes any number
   * @throws SecateurException where it takes more than images of one kind
   */
  public WholeNetwork(Model model, int batch) throws IOException {
    outputLast = Models.outputChannelsLast(model);
    image = model.graph().shape(model.graph().input().name());
    Path dir = Files.createTempDirectory("secateur");
    closers.add(() -> delete(dir));
    try {
      Path file = dir.resolve("whole.onnx");
      Models.exportOnnx(model, file);
      session = OnnxRuntimeContender.session(file);
      closers.add(() -> OnnxRuntimeContender.close(session));
      Map<String, ai.onnxruntime.NodeInfo> inputs = session.getInputInfo();
      if (inputs.size() != 1) {
        throw new SecateurException(
            "the whole network takes "
                + String.join(", ", inputs.keySet())
                + "; images give the first alone");
      }
      input = inputs.keySet().iterator().next();
      TensorInfo info = (TensorInfo) inputs.get(input).getInfo();
      type = info.type;
      long[] given = info.getShape();
      boolean line = given.length == 3 && image.dim(2) == 1; // (N,C,L)
      boolean single = given.length == 3 && !line; // (C,H,W)
      channelsLast = given.length == 4 && given[1] != image.dim(1) && given[3] == image.dim(1);
      shape =
          single
              ? given
              : line ? new long[] {1, image.dim(1), image.dim(3)} : image.toArray().clone();
      if (channelsLast) {
        shape[1] = image.dim(2);
        shape[2] = image.dim(3);
        shape[3] = image.dim(1);
      }
      this.batch = single ? 1 : given[0] > 0 ? (int) given[0] : batch;
      if (!single) {
        shape[0] = this.batch;
      }
    } catch (OrtException e) {
      throw Cleanup.after(OnnxRuntimeContender.refused("the whole network", e), closers);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
    data =
        ByteBuffer.allocateDirect(Math.toIntExact(image.elements() * this.batch * type.size))
            .order(ByteOrder.nativeOrder());
    String own = model.graph().input().name();
    boolean values = Models.fromOnnx(model) && type != OnnxJavaType.UINT8;
    mean = values ? model.parameters().get(own + ".mean").data() : new float[1];
    std = values ? model.parameters().get(own + ".std").data() : new float[] {1};
  }

  private static void delete(Path dir) {
    try (var files = Files.list(dir)) {
      for (Path f : files.toList()) {
        Files.delete(f);
      }
      Files.delete(dir);
    } catch (IOException e) {
      throw new SecateurException(dir + ": " + e.getMessage(), e);
    }
  }

  /** Images at once. */
  public int batch() {
    return batch;
  }

  /**
   * @param pixels U8 (batch,C,H,W); of a last batch that is smaller the rest is anything
   * @return in the file's order; maps (N,C,H,W)
   */
  public List<Output> run(ByteBuffer pixels) {
    data.clear();
    int places = image.size(2) * image.size(3);
    int channels = image.size(1);
    int each = channels * places;
    for (int i = 0; i < pixels.capacity(); i++) {
      int of = i % each;
      int from = channelsLast ? i - of + of % channels * places + of / channels : i;
      int in = from % each;
      int at = mean.length == each ? in : mean.length == channels ? in / places : 0;
      float v = ((pixels.get(from) & 255) - mean[at]) / std[at];
      switch (type) {
        case FLOAT -> data.putFloat(v);
        case DOUBLE -> data.putDouble(v);
        case FLOAT16 -> data.putShort(Half.ofFloat(v));
        case BFLOAT16 -> data.putShort(Half.bfloat(v));
        case UINT8 -> data.put((byte) (int) v);
        default -> throw new SecateurException("an input of type " + type + " takes no images");
      }
    }
    try (OnnxTensor in =
            OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), data.flip(), shape, type);
        OrtSession.Result result = session.run(Map.of(input, in))) {
      List<Output> out = new ArrayList<>();
      for (Map.Entry<String, OnnxValue> e : result) {
        if (e.getValue() instanceof OnnxTensor t) {
          boolean whole =
              t.getInfo().type == OnnxJavaType.INT64 || t.getInfo().type == OnnxJavaType.INT32;
          Output o = new Output(e.getKey(), t.getInfo().getShape(), OnnxOutputs.numbers(t), whole);
          out.add(outputLast ? o.channelsFirst() : o);
        }
      }
      return out;
    } catch (OrtException e) {
      throw OnnxRuntimeContender.refused("running a batch", e);
    }
  }

  @Override
  public void close() {
    closers.close();
  }
}
