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
import dev.secateur.util.Cleanup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * All outputs of an ONNX file in ONNX Runtime, of inputs that depend on their shapes alone, so that
 * two files are given the same. Without its rewriting of graphs: its fusion of Pad and AveragePool
 * (1.20) forgets that the padding counts.
 */
public final class OnnxOutputs {
  private OnnxOutputs() {}

  /**
   * @param images what a batch of any size becomes
   * @param height what an open height becomes
   * @param width what an open width becomes
   * @return an array an output, in the file's order
   * @throws SecateurException naming the file, where ONNX Runtime refuses it
   */
  public static List<double[]> of(Path file, int images, int height, int width) {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        Cleanup tensors = new Cleanup()) {
      options.setIntraOpNumThreads(1); // else every session starts threads of its own
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.NO_OPT);
      try (OrtSession session = environment.createSession(file.toString(), options)) {
        Map<String, OnnxTensor> in = new LinkedHashMap<>();
        for (Map.Entry<String, ai.onnxruntime.NodeInfo> e : session.getInputInfo().entrySet()) {
          TensorInfo info = (TensorInfo) e.getValue().getInfo();
          long[] shape = info.getShape().clone();
          long[] open = {images, 1, shape.length == 3 ? width : height, width};
          for (int i = 0; i < shape.length; i++) {
            shape[i] = shape[i] < 1 ? open[Math.min(i, 3)] : shape[i];
          }
          OnnxTensor t = input(environment, info.type, shape);
          tensors.add(t::close);
          in.put(e.getKey(), t);
        }
        List<double[]> out = new ArrayList<>();
        try (OrtSession.Result r = session.run(in)) {
          for (Map.Entry<String, OnnxValue> e : r) {
            if (!(e.getValue() instanceof OnnxTensor t)) {
              throw new SecateurException(file + ": output " + e.getKey() + " is no tensor");
            }
            out.add(numbers(t));
          }
        }
        return out;
      }
    } catch (OrtException e) {
      throw OnnxRuntimeContender.refused(file.toString(), e);
    }
  }

  static OnnxTensor input(OrtEnvironment environment, OnnxJavaType type, long[] shape)
      throws OrtException {
    long elements = 1;
    for (long d : shape) {
      elements = Math.multiplyExact(elements, d);
    }
    ByteBuffer data =
        ByteBuffer.allocateDirect(Math.toIntExact(elements * 8)).order(ByteOrder.nativeOrder());
    SplittableRandom random = new SplittableRandom(elements);
    for (long i = 0; i < elements; i++) {
      double v = random.nextDouble();
      switch (type) {
        case FLOAT -> data.putFloat((float) v);
        case DOUBLE -> data.putDouble(v);
        case FLOAT16 -> data.putShort(Half.ofFloat((float) v));
        case BFLOAT16 -> data.putShort(Half.bfloat((float) v));
        case UINT8, INT8 -> data.put((byte) (int) (255 * v));
        case INT32 -> data.putInt((int) (100 * v));
        case INT64 -> data.putLong((long) (100 * v));
        default -> throw new SecateurException("an input of type " + type + " is not filled");
      }
    }
    return OnnxTensor.createTensor(environment, data.flip(), shape, type);
  }

  static double[] numbers(OnnxTensor t) {
    ByteBuffer b = t.getByteBuffer().order(ByteOrder.nativeOrder());
    OnnxJavaType type = t.getInfo().type;
    double[] out = new double[b.remaining() / type.size];
    for (int i = 0; i < out.length; i++) {
      out[i] =
          switch (type) {
            case FLOAT -> b.getFloat();
            case DOUBLE -> b.getDouble();
            case FLOAT16 -> Half.toFloat(b.getShort());
            case BFLOAT16 -> Float.intBitsToFloat(b.getShort() << 16);
            case INT32 -> b.getInt();
            case INT64 -> b.getLong();
            default -> b.get();
          };
    }
    return out;
  }

  /**
   * The largest of all outputs' differences, each as a part of its largest value; infinite where
   * their numbers or sizes differ, or something is no number.
   */
  public static double difference(List<double[]> got, List<double[]> expected) {
    if (got.size() != expected.size()) {
      return Double.POSITIVE_INFINITY;
    }
    double worst = 0;
    for (int o = 0; o < got.size(); o++) {
      double[] a = got.get(o);
      double[] b = expected.get(o);
      if (a.length != b.length) {
        return Double.POSITIVE_INFINITY;
      }
      double largest = 1e-6;
      double difference = 0;
      for (int i = 0; i < a.length; i++) {
        double d = Math.abs(a[i] - b[i]);
        largest = Math.max(largest, Math.abs(b[i]));
        difference = Math.max(difference, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
      }
      worst = Math.max(worst, difference / largest);
    }
    return worst;
  }
}
